/**
 * From a path to an open directory and a name in it.
 *
 * The walk goes from one open directory to the next, one component at a time, and follows symbolic links itself, by reading them. `..`
 * goes back to the directory it came from, which is still open: never through the `..` of the file system, and never above the start.
 * So there is no path that leads out, and no moment at which one could be made to.
 */

import type { Directory, FileStat, OpenOptions } from "../host/file-system.ts";
import { Errno, errnoOf, ERRNO } from "./errno.ts";
import { run, soon } from "./soon.ts";
import type { Steps } from "./soon.ts";

/** POSIX: `PATH_MAX`; in bytes, or in UTF-16 units of a link. */
export const MAX_PATH_BYTES = 4096;
/** Links in one path; Linux: `MAXSYMLINKS`. */
const MAX_LINKS = 40;

const OPEN_DIRECTORY: OpenOptions = {
  read: false,
  write: false,
  create: false,
  exclusive: false,
  truncate: false,
  directory: true,
};

/** What a path leads to: a name in {@link PathWalk.directory}, or that directory itself. */
export interface Target {
  /** `undefined`: the directory itself. */
  readonly name: string | undefined;
  readonly stat: FileStat;
}

/** A path on its way. What it opens is closed by {@link PathWalk.close}. */
export class PathWalk {
  /** From the start, which is not this walk's to close, to where it is now. */
  readonly #directories: [Directory, ...Directory[]];
  /** Components still to go, the next one last. */
  readonly #rest: string[] = [];
  /** How the path ends if it ends with `.` or `..`: then it names a directory, not a name in one. */
  #lastDots: "." | ".." | undefined;
  #links = 0;
  /** The path ends with a slash: what it names has to be a directory, and links are followed. */
  mustBeDirectory = false;

  /** @throws {Errno} `ENOENT` when it is empty, `ENOTCAPABLE` when it is absolute, `EINVAL` when it has a null character in it */
  constructor(start: Directory, path: string) {
    this.#directories = [start];
    this.#push(path);
  }

  /** The innermost directory so far. */
  get directory(): Directory {
    return this.#directories.at(-1) ?? this.#directories[0];
  }

  get lastDots(): "." | ".." | undefined {
    return this.#lastDots;
  }

  /** Puts a path before what is left. */
  #push(path: string): void {
    if (path === "") throw new Errno("ENOENT");
    if (path.startsWith("/")) throw new Errno("ENOTCAPABLE");
    if (path.includes("\0")) throw new Errno("EINVAL");
    const isLast = this.#rest.length === 0;
    if (isLast && path.endsWith("/")) this.mustBeDirectory = true;
    this.#rest.push(
      ...path
        .split("/")
        .filter((component) => component !== "")
        .toReversed(),
    );
  }

  /** Goes to the directory of the last component. @returns its name; `undefined`: the path names that directory itself */
  *toLast(): Steps<string | undefined> {
    for (;;) {
      const component = this.#rest.pop();
      if (component === undefined) return undefined;
      const isLast = this.#rest.length === 0;
      if (component === "." || component === "..") {
        if (component === "..") yield* this.#goUp();
        if (isLast) this.#lastDots = component;
      } else if (isLast) {
        return component;
      } else {
        yield* this.#goDown(component);
      }
    }
  }

  *#goUp(): Steps<void> {
    if (this.#directories.length === 1) throw new Errno("ENOTCAPABLE");
    yield* soon(this.#directories.pop()?.close());
  }

  *#goDown(name: string): Steps<void> {
    try {
      const opened = yield* soon(this.directory.open(name, OPEN_DIRECTORY));
      // Nothing else was asked for.
      if (opened.kind === "directory") this.#directories.push(opened);
    } catch (error) {
      if (errnoOf(error) !== ERRNO.ELOOP) throw error;
      yield* this.follow(name);
    }
  }

  /** Goes on where the symbolic link of that name leads. @throws {Errno} `ELOOP` when that were too many */
  *follow(name: string): Steps<void> {
    if (++this.#links > MAX_LINKS) throw new Errno("ELOOP");
    let target: string;
    try {
      target = yield* soon(this.directory.readLink(name));
    } catch (error) {
      if (errnoOf(error) !== ERRNO.EINVAL) throw error;
      // It was a link a moment ago, and is none any more.
      this.#rest.push(name);
      return;
    }
    this.#push(target);
  }

  /** Goes to what the path names, which has to be there. Follows a link at its end if told to, or if a slash comes after it. */
  *toTarget(isFollowing: boolean): Steps<Target> {
    for (;;) {
      const name = yield* this.toLast();
      if (name === undefined) return { name, stat: yield* soon(this.directory.stat()) };
      const stat = yield* soon(this.directory.statEntry(name));
      if (stat.type !== "symbolic-link" || !(isFollowing || this.mustBeDirectory)) {
        if (this.mustBeDirectory && stat.type !== "directory") throw new Errno("ENOTDIR");
        return { name, stat };
      }
      yield* this.follow(name);
    }
  }

  *close(): Steps<void> {
    for (const directory of this.#directories.slice(1)) yield* soon(directory.close());
  }
}

/** Walks `path` from `start`, and closes what the walk has opened, whatever becomes of it. */
export function* walkPath<Result>(
  start: Directory,
  path: string,
  use: (walk: PathWalk) => Steps<Result>,
): Steps<Result> {
  const walk = new PathWalk(start, path);
  try {
    return yield* use(walk);
  } finally {
    yield* walk.close();
  }
}

/** {@link walkPath}, from where it begins. */
export function walk<Result>(
  start: Directory,
  path: string,
  use: (walk: PathWalk) => Steps<Result>,
): Result | Promise<Result> {
  return run(walkPath(start, path, use));
}
