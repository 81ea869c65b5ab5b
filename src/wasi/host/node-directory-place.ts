/**
 * Where Node finds the entries of an open directory: it has no `openat`.
 *
 * On Linux `/proc/self/fd/N/NAME` does the same: the kernel goes to the directory behind descriptor N, whatever has become of its path,
 * and takes one step from there. What is renamed or swapped for a symbolic link meanwhile cannot lead that step elsewhere.
 *
 * Elsewhere there is only the path. It is compared with what was opened before each use, which leaves a moment in between: whoever may
 * rename directories on that computer at that moment can lead a program out. {@link HeldPlace} has no such moment.
 */

import type { BigIntStats } from "node:fs";
import { HostError } from "./host-error.ts";
import { platform, requireBuiltin } from "./node-builtin.ts";

export interface DirectoryPlace {
  /** Whether a name cannot lead out between two calls. */
  readonly isHeld: boolean;
  /** A path of the directory itself. */
  path(): string;
  /** A path of what has that name in it. */
  entry(name: string): string;
  stat(): BigIntStats;
  /** The same directory once more. */
  reopen(): DirectoryPlace;
  close(): void;
}

const DESCRIPTORS = "/proc/self/fd";
/** Opens a place in the tree, without the right to read it: no rights on the directory are needed. (Linux; Node has no name for it) */
export const O_PATH = 0o10000000;

/** By its descriptor. */
export class HeldPlace implements DirectoryPlace {
  readonly isHeld = true;
  readonly #prefix: string;
  #fd: number;

  /** Takes over `fd`. */
  constructor(fd: number) {
    this.#fd = fd;
    this.#prefix = `${DESCRIPTORS}/${fd}/`;
  }

  path(): string {
    // A closed number may be somebody else's by now.
    if (this.#fd < 0) throw new HostError("EBADF");
    return this.#prefix;
  }

  entry(name: string): string {
    return this.path() + name;
  }

  stat(): BigIntStats {
    if (this.#fd < 0) throw new HostError("EBADF");
    return requireBuiltin("node:fs").fstatSync(this.#fd, { bigint: true });
  }

  reopen(): DirectoryPlace {
    return openHeldPlace(this.path());
  }

  close(): void {
    if (this.#fd < 0) return;
    requireBuiltin("node:fs").closeSync(this.#fd);
    this.#fd = -1;
  }
}

function openHeldPlace(path: string): HeldPlace {
  const fs = requireBuiltin("node:fs");
  return new HeldPlace(fs.openSync(path, O_PATH | fs.constants.O_DIRECTORY));
}

/** By its path. */
export class NamedPlace implements DirectoryPlace {
  readonly isHeld = false;
  readonly #path: string;
  readonly #device: bigint;
  readonly #inode: bigint;

  constructor(path: string, { dev, ino }: BigIntStats) {
    this.#path = path.endsWith("/") ? path : `${path}/`;
    this.#device = dev;
    this.#inode = ino;
  }

  path(): string {
    this.stat();
    return this.#path;
  }

  entry(name: string): string {
    // Separators, drives and streams of Windows.
    if (platform === "win32" && /[\\:]/.test(name)) throw new HostError("ENOENT");
    return this.path() + name;
  }

  stat(): BigIntStats {
    const stat = requireBuiltin("node:fs").lstatSync(this.#path.replace(/(?<=.)\/+$/, ""), { bigint: true });
    if (stat.dev !== this.#device || stat.ino !== this.#inode) throw new HostError("ENOENT");
    return stat;
  }

  reopen(): DirectoryPlace {
    return new NamedPlace(this.#path, this.stat());
  }

  close(): void {}
}

let canHold: boolean | undefined;

/** Whether directories can be held on this computer. */
export function canHoldDirectories(): boolean {
  canHold ??= platform === "linux" && requireBuiltin("node:fs").existsSync(DESCRIPTORS);
  return canHold;
}

/** @throws {Error} with a `code`: `ENOENT`, `ENOTDIR`, `EACCES`, … */
export function openPlace(path: string, isHeld: boolean): DirectoryPlace {
  if (isHeld) return openHeldPlace(path);
  const fs = requireBuiltin("node:fs");
  const real = fs.realpathSync(path);
  const stat = fs.lstatSync(real, { bigint: true });
  if (!stat.isDirectory()) throw new HostError("ENOTDIR");
  return new NamedPlace(real, stat);
}
