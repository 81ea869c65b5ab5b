/** Constants and structures of preview 1, as they lie in the program's memory; all little-endian. (witx: typenames) */

/** witx: `clockid` */
export const CLOCK = { realtime: 0, monotonic: 1, processCpuTime: 2, threadCpuTime: 3 } as const;

/** witx: `filetype` */
export const FILE_TYPE = {
  unknown: 0,
  blockDevice: 1,
  characterDevice: 2,
  directory: 3,
  regularFile: 4,
  socketDatagram: 5,
  socketStream: 6,
  symbolicLink: 7,
} as const;

/** witx: `fdflags` */
export const FD_FLAGS = { append: 1, dsync: 2, nonblock: 4, rsync: 8, sync: 16 } as const;
export const ALL_FD_FLAGS = 31;

/** witx: `oflags` */
export const OPEN_FLAGS = { creat: 1, directory: 2, excl: 4, trunc: 8 } as const;
export const ALL_OPEN_FLAGS = 15;

/** witx: `lookupflags` */
export const SYMLINK_FOLLOW = 1;

/** witx: `fstflags` */
export const FST_FLAGS = { atim: 1, atimNow: 2, mtim: 4, mtimNow: 8 } as const;
export const ALL_FST_FLAGS = 15;

/** witx: `whence` */
export const WHENCE = { set: 0, cur: 1, end: 2 } as const;

/** witx: `eventtype` */
export const EVENT_TYPE = { clock: 0, fdRead: 1, fdWrite: 2 } as const;

/** witx: `subclockflags`, `eventrwflags` */
export const SUBSCRIPTION_CLOCK_ABSTIME = 1;
export const EVENT_HANGUP = 1;

/** witx: `riflags`, `roflags`, `sdflags` */
export const RECEIVE_FLAGS = { peek: 1, waitall: 2 } as const;
export const RECEIVED_TRUNCATED = 1;
export const SHUTDOWN = { read: 1, write: 2 } as const;

/**
 * ```
 * iovec, ciovec           0 buf u32        4 len u32
 * ```
 */
export const IOVEC = { bytes: 8, buffer: 0, length: 4 } as const;

/**
 * ```
 * fdstat                  0 filetype u8    2 flags u16     8 rights base u64       16 rights inheriting u64
 * ```
 */
export const FDSTAT = { bytes: 24, type: 0, flags: 2, rights: 8, inheriting: 16 } as const;

/**
 * ```
 * filestat                0 dev u64        8 ino u64      16 filetype u8      24 nlink u64      32 size u64
 *                        40 atim u64      48 mtim u64     56 ctim u64
 * ```
 */
export const FILESTAT = {
  bytes: 64,
  device: 0,
  inode: 8,
  type: 16,
  links: 24,
  linksBytes: 8,
  size: 32,
  accessed: 40,
  modified: 48,
  changed: 56,
} as const;

/**
 * In `wasi_unstable`:
 *
 * ```
 * filestat                0 dev u64        8 ino u64      16 filetype u8      20 nlink u32      24 size u64
 *                        32 atim u64      40 mtim u64     48 ctim u64
 * ```
 */
export const FILESTAT_UNSTABLE = {
  bytes: 56,
  device: 0,
  inode: 8,
  type: 16,
  links: 20,
  linksBytes: 4,
  size: 24,
  accessed: 32,
  modified: 40,
  changed: 48,
} as const;

/**
 * ```
 * dirent                  0 next u64       8 ino u64      16 namlen u32      20 type u8         24 name…
 * ```
 */
export const DIRENT = { bytes: 24, next: 0, inode: 8, nameLength: 16, type: 20 } as const;

/**
 * ```
 * prestat                 0 tag u8 (0: a directory)        4 length of its name u32
 * ```
 */
export const PRESTAT = { bytes: 8, tag: 0, nameLength: 4 } as const;

/**
 * ```
 * subscription            0 userdata u64   8 tag u8
 *    of a clock:         16 id u32        24 timeout u64  32 precision u64   40 flags u16
 *    of a descriptor:    16 fd u32
 * ```
 */
export const SUBSCRIPTION = {
  bytes: 48,
  userData: 0,
  tag: 8,
  clock: 16,
  timeout: 24,
  precision: 32,
  clockFlags: 40,
  descriptor: 16,
} as const;

/**
 * In `wasi_unstable`, where a clock has a number that the program gives it, which says nothing to anybody:
 *
 * ```
 * subscription            0 userdata u64   8 tag u8
 *    of a clock:         16 identifier u64                24 id u32           32 timeout u64    40 precision u64  48 flags u16
 *    of a descriptor:    16 fd u32
 * ```
 */
export const SUBSCRIPTION_UNSTABLE = {
  bytes: 56,
  userData: 0,
  tag: 8,
  clock: 24,
  timeout: 32,
  precision: 40,
  clockFlags: 48,
  descriptor: 16,
} as const;

/**
 * ```
 * event                   0 userdata u64   8 error u16    10 type u8         16 nbytes u64      24 flags u16
 * ```
 */
export const EVENT = { bytes: 32, userData: 0, error: 8, type: 10, available: 16, flags: 24 } as const;
