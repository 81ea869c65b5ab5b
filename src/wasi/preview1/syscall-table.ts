/** All calls of preview 1 by their names: what a program may import from `wasi_snapshot_preview1`. */

import { args } from "./args.ts";
import { clocks } from "./clock.ts";
import { directories } from "./fd-directory.ts";
import { status } from "./fd-status.ts";
import { transfers } from "./fd-transfer.ts";
import { opening } from "./path-open.ts";
import { paths } from "./path.ts";
import { polls } from "./poll.ts";
import { processes } from "./process.ts";
import { random } from "./random.ts";
import { sockets } from "./sock.ts";
import type { Syscalls } from "./syscall.ts";

export const SYSCALLS: Syscalls = {
  ...args,
  ...clocks,
  ...directories,
  ...opening,
  ...paths,
  ...polls,
  ...processes,
  ...random,
  ...sockets,
  ...status,
  ...transfers,
};
