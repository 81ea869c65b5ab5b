/** All calls of preview 1 by their names: what a program may import from `wasi_snapshot_preview1`. */

import { args } from "./args.ts";
import { clocks } from "./clock.ts";
import { processes } from "./process.ts";
import { random } from "./random.ts";
import type { Syscalls } from "./syscall.ts";

export const SYSCALLS: Syscalls = { ...args, ...clocks, ...processes, ...random };
