/** What programs are told of files, and how they set the times of them. */

import type { FileStat, FileType, TimeChange } from "../host/file-system.ts";
import { Errno } from "./errno.ts";
import type { GuestMemory } from "./guest-memory.ts";
import { ALL_FST_FLAGS, FILESTAT, FILE_TYPE, FST_FLAGS } from "./layout.ts";

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
export function writeFileStat(memory: GuestMemory, pointer: number, stat: FileStat): void {
  memory.clear(pointer, FILESTAT.bytes);
  const at = pointer >>> 0;
  memory.setU64(at + FILESTAT.device, stat.device);
  memory.setU64(at + FILESTAT.inode, stat.inode);
  memory.setU8(at + FILESTAT.type, fileTypeNumber(stat.type));
  memory.setU64(at + FILESTAT.links, stat.links);
  memory.setU64(at + FILESTAT.size, stat.size);
  memory.setU64(at + FILESTAT.accessed, stat.accessed);
  memory.setU64(at + FILESTAT.modified, stat.modified);
  memory.setU64(at + FILESTAT.changed, stat.changed);
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
