/** `path_*`: what has a name. (`path_open` is a file of its own.) */

import { ERRNO, Errno, errnoOf } from "./errno.ts";
import { timeChange, writeFileStat } from "./file-stat.ts";
import { encodeText } from "./guest-memory.ts";
import { SYMLINK_FOLLOW } from "./layout.ts";
import { lookUp } from "./path-argument.ts";
import type { PathFrom } from "./path-argument.ts";
import { MAX_PATH_BYTES, walk, walkPath } from "./resolve-path.ts";
import type { PathWalk } from "./resolve-path.ts";
import { RIGHTS } from "./rights.ts";
import { afterCall, run, soon } from "./soon.ts";
import type { Steps } from "./soon.ts";
import type { Syscall, Syscalls } from "./syscall.ts";

export const paths: Syscalls = {
  path_filestat_get(call: Syscall, fd: number, lookup: number, path: number, length: number, stat: number) {
    const { directory, text } = lookUp(call, fd, { path, length, lookup, rights: RIGHTS.path_filestat_get });
    call.memory.require(stat, call.program.snapshot.filestat.bytes);
    const found = walk(directory, text, (path) => path.toTarget((lookup & SYMLINK_FOLLOW) !== 0));
    return afterCall(call, found, (target) => writeFileStat(call, stat, target.stat));
  },

  path_filestat_set_times(
    call: Syscall,
    fd: number,
    lookup: number,
    path: number,
    length: number,
    accessed: bigint,
    modified: bigint,
    flags: number,
  ) {
    const { directory, text } = lookUp(call, fd, { path, length, lookup, rights: RIGHTS.path_filestat_set_times });
    const times = timeChange(accessed, modified, flags);
    return walk(directory, text, function* (path) {
      const { name } = yield* path.toTarget((lookup & SYMLINK_FOLLOW) !== 0);
      yield* soon(name === undefined ? path.directory.setTimes(times) : path.directory.setEntryTimes(name, times));
    });
  },

  path_create_directory(call: Syscall, fd: number, path: number, length: number) {
    const { directory, text } = lookUp(call, fd, { path, length, rights: RIGHTS.path_create_directory });
    return walk(directory, text, function* (path) {
      const name = (yield* path.toLast()) ?? refuse("EEXIST");
      yield* soon(path.directory.makeDirectory(name));
    });
  },

  path_remove_directory(call: Syscall, fd: number, path: number, length: number) {
    const { directory, text } = lookUp(call, fd, { path, length, rights: RIGHTS.path_remove_directory });
    return walk(directory, text, function* (path) {
      const name = yield* path.toLast();
      if (name === undefined) throw new Errno(path.lastDots === "." ? "EINVAL" : "ENOTEMPTY");
      yield* soon(path.directory.removeDirectory(name));
    });
  },

  path_unlink_file(call: Syscall, fd: number, path: number, length: number) {
    const { directory, text } = lookUp(call, fd, { path, length, rights: RIGHTS.path_unlink_file });
    return walk(directory, text, function* (path) {
      const name = (yield* path.toLast()) ?? refuse("EISDIR");
      if (path.mustBeDirectory) {
        const { type } = yield* soon(path.directory.statEntry(name));
        throw new Errno(type === "directory" ? "EISDIR" : "ENOTDIR");
      }
      yield* soon(path.directory.removeFile(name));
    });
  },

  path_readlink(call: Syscall, fd: number, path: number, length: number, buffer: number, room: number, used: number) {
    const { memory } = call;
    const { directory, text } = lookUp(call, fd, { path, length, rights: RIGHTS.path_readlink });
    memory.require(buffer, room >>> 0);
    memory.require(used, 4);
    return afterCall(call, walk(directory, text, readLink), (target) => {
      const bytes = encodeText(target).subarray(0, room >>> 0);
      memory.setBytes(buffer, bytes);
      memory.setU32(used, bytes.length);
    });
  },

  /** What a link says is up to the program, unless it could only lead out. */
  path_symlink(call: Syscall, target: number, targetLength: number, fd: number, path: number, length: number) {
    const { directory, text } = lookUp(call, fd, { path, length, rights: RIGHTS.path_symlink });
    if (targetLength >>> 0 > MAX_PATH_BYTES) throw new Errno("ENAMETOOLONG");
    const says = call.memory.text(target, targetLength);
    if (says === "") throw new Errno("ENOENT");
    if (says.startsWith("/")) throw new Errno("ENOTCAPABLE");
    if (says.includes("\0")) throw new Errno("EINVAL");
    return walk(directory, text, function* (path) {
      const name = yield* newName(path);
      yield* soon(path.directory.makeLink(name, says));
    });
  },

  path_link(
    call: Syscall,
    fd: number,
    lookup: number,
    path: number,
    length: number,
    newFd: number,
    newPath: number,
    newLength: number,
  ) {
    const from = lookUp(call, fd, { path, length, lookup, rights: RIGHTS.path_link_source });
    const to = lookUp(call, newFd, { path: newPath, length: newLength, rights: RIGHTS.path_link_target });
    return run(
      walkBoth(from, to, function* (path, newPath) {
        const { name = refuse("EPERM"), stat } = yield* path.toTarget((lookup & SYMLINK_FOLLOW) !== 0);
        const newer = yield* newName(newPath);
        if (stat.type === "directory") throw new Errno("EPERM");
        yield* soon(path.directory.addName(name, newPath.directory, newer));
      }),
    );
  },

  path_rename(
    call: Syscall,
    fd: number,
    path: number,
    length: number,
    newFd: number,
    newPath: number,
    newLength: number,
  ) {
    const from = lookUp(call, fd, { path, length, rights: RIGHTS.path_rename_source });
    const to = lookUp(call, newFd, { path: newPath, length: newLength, rights: RIGHTS.path_rename_target });
    return run(
      walkBoth(from, to, function* (path, newPath) {
        const name = (yield* path.toLast()) ?? refuse("EBUSY");
        const newer = (yield* newPath.toLast()) ?? refuse("EBUSY");
        if (path.mustBeDirectory || newPath.mustBeDirectory) {
          const { type } = yield* soon(path.directory.statEntry(name));
          if (type !== "directory") throw new Errno("ENOTDIR");
        }
        yield* soon(path.directory.rename(name, newPath.directory, newer));
      }),
    );
  },
};

function refuse(name: "EEXIST" | "EISDIR" | "EBUSY" | "EPERM"): never {
  throw new Errno(name);
}

function* walkBoth<Result>(
  from: PathFrom,
  to: PathFrom,
  use: (path: PathWalk, newPath: PathWalk) => Steps<Result>,
): Steps<Result> {
  return yield* walkPath(from.directory, from.text, (path) =>
    walkPath(to.directory, to.text, (newPath) => use(path, newPath)),
  );
}

function* readLink(path: PathWalk): Steps<string> {
  const { name, stat } = yield* path.toTarget(false);
  if (name === undefined || stat.type !== "symbolic-link") throw new Errno("EINVAL");
  const target = yield* soon(path.directory.readLink(name));
  // It leads nowhere in here, and where things are on the host is not the program's business.
  if (target.startsWith("/")) throw new Errno("ENOTCAPABLE");
  return target;
}

/** A name for something that is no directory. `EEXIST` is left to whoever makes it, unless a slash comes after it. */
function* newName(path: PathWalk): Steps<string> {
  const name = (yield* path.toLast()) ?? refuse("EEXIST");
  if (!path.mustBeDirectory) return name;
  try {
    yield* soon(path.directory.statEntry(name));
  } catch (error) {
    if (errnoOf(error) !== ERRNO.ENOENT) throw error;
    throw new Errno("ENOENT");
  }
  return refuse("EEXIST");
}
