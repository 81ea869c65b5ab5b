/**
 * Times of files in Node, to the nanosecond.
 *
 * Node sets a time from a number of seconds, which is exact to a quarter of a microsecond only. A program that sets a time and
 * reads it back is told what it set, for as long as the file still has the nearest time that Node could give it.
 */

import type { BigIntStats } from "node:fs";
import type { FileStat, FileType, TimeChange } from "./file-system.ts";
import { hasLibuv } from "./node-builtin.ts";

/** What Node takes for a time. */
type NodeTime = number | string | Date;

/** Something whose times can be set. */
export interface Timed {
  stat(): BigIntStats;
  utimes(accessed: NodeTime, modified: NodeTime): void;
}

interface ExactTime {
  /** What the file has. */
  readonly kept: bigint;
  /** What it was to have. */
  readonly exact: bigint;
}

interface ExactTimes {
  readonly accessed: ExactTime;
  readonly modified: ExactTime;
}

/** Files remembered; the oldest is forgotten first. */
const MAX_REMEMBERED = 4096;
const remembered = new Map<string, ExactTimes>();

const NS_PER_SECOND = 1e9;

/** libuv 1.51: `UV_FS_UTIME_NOW` is infinity, `UV_FS_UTIME_OMIT` is NaN. Node lets them through in these disguises. */
const HAS_NOW_AND_OMIT = hasLibuv(1, 51);
const NOW = "Infinity";
const OMIT = new Date(Number.NaN);

function keyOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

function exactOf(time: ExactTime | undefined, found: bigint): bigint {
  return time?.kept === found ? time.exact : found;
}

export function fileStat(stat: BigIntStats): FileStat {
  const exact = remembered.size === 0 ? undefined : remembered.get(keyOf(stat));
  return {
    type: fileTypeOf(stat),
    device: stat.dev,
    inode: stat.ino,
    links: stat.nlink,
    size: stat.size,
    accessed: exactOf(exact?.accessed, stat.atimeNs),
    modified: exactOf(exact?.modified, stat.mtimeNs),
    changed: stat.ctimeNs,
  };
}

export function setTimes(target: Timed, { accessed, modified }: TimeChange): void {
  const before = fileStat(target.stat());
  target.utimes(nodeTime(accessed, before.accessed), nodeTime(modified, before.modified));
  remember(target.stat(), {
    accessed: accessed ?? before.accessed,
    modified: modified ?? before.modified,
  });
}

function nodeTime(time: bigint | "now" | undefined, before: bigint): NodeTime {
  if (time === "now") return HAS_NOW_AND_OMIT ? NOW : Date.now() / 1000;
  if (time === undefined && HAS_NOW_AND_OMIT) return OMIT;
  return Number(time ?? before) / NS_PER_SECOND;
}

function remember(stat: BigIntStats, wanted: Required<TimeChange>): void {
  const key = keyOf(stat);
  remembered.delete(key);
  const accessed = exactTime(stat.atimeNs, wanted.accessed);
  const modified = exactTime(stat.mtimeNs, wanted.modified);
  if (accessed.kept === accessed.exact && modified.kept === modified.exact) return;
  remembered.set(key, { accessed, modified });
  for (const oldest of remembered.keys()) {
    if (remembered.size <= MAX_REMEMBERED) return;
    remembered.delete(oldest);
  }
}

function exactTime(kept: bigint, wanted: bigint | "now" | undefined): ExactTime {
  return { kept, exact: typeof wanted === "bigint" ? wanted : kept };
}

/** Of what `lstat` says, or a directory entry. */
export function fileTypeOf(entry: {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isCharacterDevice(): boolean;
  isBlockDevice(): boolean;
  isFIFO(): boolean;
}): FileType {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  if (entry.isSymbolicLink()) return "symbolic-link";
  if (entry.isCharacterDevice()) return "character-device";
  if (entry.isBlockDevice()) return "block-device";
  return entry.isFIFO() ? "pipe" : "socket";
}
