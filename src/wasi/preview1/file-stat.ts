/** What programs are told of files, and how they set the times of them. */

import type { FileStat, FileType, TimeChange } from "../host/file-system.ts";
import { Errno } from "./errno.ts";
import { ALL_FST_FLAGS, FILE_TYPE, FST_FLAGS } from "./layout.ts";
import type { Syscall } from "./syscall.ts";

/** witx: `filetype`. There is none for a pipe. */
const TYPES: Readonly<Record<FileType, number>> = {
  file: FILE_TYPE.regularFile,
  directory: FILE_TYPE.directory,
  "symbolic-link": FILE_TYPE.symbolicLink,
  "character-device": FILE_TYPE.characterDevice,
  "block-device": FILE_TYPE.blockDevice,
  socket: FILE_TYPE.socketStream,
  pipe: FILE_TYPE.unknown,
};

export function fileTypeNumber(type: FileType): number {
  return TYPES[type];
}

/** witx: `filestat` */
export function writeFileStat({ memory, program }: Syscall, pointer: number, stat: FileStat): void {
  const { filestat } = program.snapshot;
  memory.clear(pointer, filestat.bytes);
  const at = pointer >>> 0;
  memory.setU64(at + filestat.device, stat.device);
  memory.setU64(at + filestat.inode, stat.inode);
  memory.setU8(at + filestat.type, fileTypeNumber(stat.type));
  if (filestat.linksBytes === 8) memory.setU64(at + filestat.links, stat.links);
  else memory.setU32(at + filestat.links, Number(stat.links));
  memory.setU64(at + filestat.size, stat.size);
  memory.setU64(at + filestat.accessed, stat.accessed);
  memory.setU64(at + filestat.modified, stat.modified);
  memory.setU64(at + filestat.changed, stat.changed);
}

/** witx: `fstflags`, with the times as signed numbers. @throws {Errno} `EINVAL` */
export function timeChange(accessed: bigint, modified: bigint, flags: number): TimeChange {
  const { atim, atimNow, mtim, mtimNow } = FST_FLAGS;
  if ((flags & ~ALL_FST_FLAGS) !== 0) throw new Errno("EINVAL");
  return {
    accessed: timeOf(accessed, (flags & atim) !== 0, (flags & atimNow) !== 0),
    modified: timeOf(modified, (flags & mtim) !== 0, (flags & mtimNow) !== 0),
  };
}

function timeOf(time: bigint, isSet: boolean, isNow: boolean): bigint | "now" | undefined {
  if (isSet && isNow) throw new Errno("EINVAL");
  if (isNow) return "now";
  return isSet ? BigInt.asUintN(64, time) : undefined;
}
