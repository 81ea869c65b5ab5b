/** `path_open`. */

import type { Directory, OpenFile, OpenOptions, OpenStream } from "../host/file-system.ts";
import { DirectoryDescriptor } from "./directory.ts";
import type { Descriptor } from "./descriptor.ts";
import { ERRNO, Errno, errnoOf } from "./errno.ts";
import { FileDescriptor } from "./file.ts";
import { ALL_FD_FLAGS, ALL_OPEN_FLAGS, FD_FLAGS, OPEN_FLAGS, SYMLINK_FOLLOW } from "./layout.ts";
import { lookUp } from "./path-argument.ts";
import { walkPath } from "./resolve-path.ts";
import type { PathWalk } from "./resolve-path.ts";
import { DIRECTORY_RIGHTS, FILE_RIGHTS, RIGHTS } from "./rights.ts";
import { openedStream } from "./socket.ts";
import { requireWanted, run, soon } from "./soon.ts";
import type { Steps } from "./soon.ts";
import type { Program, Syscall, Syscalls } from "./syscall.ts";

/** Any right to a file or a directory. Others, such as those to sockets, do not apply to what a path can name: asking for them is no error. */
const APPLICABLE_RIGHTS = FILE_RIGHTS | DIRECTORY_RIGHTS;
/** Rights for which a file has to be open for writing. */
const WRITING_RIGHTS = RIGHTS.fd_write | RIGHTS.fd_allocate | RIGHTS.fd_filestat_set_size;

/** What is asked for. */
interface Request {
  readonly isFollowing: boolean;
  readonly options: OpenOptions;
  readonly base: bigint;
  readonly inheriting: bigint;
  readonly flags: number;
}

type Opened = OpenFile | OpenStream | Directory;

export const opening: Syscalls = {
  path_open(
    call: Syscall,
    fd: number,
    lookup: number,
    path: number,
    length: number,
    openFlags: number,
    base: bigint,
    inheriting: bigint,
    flags: number,
    result: number,
  ) {
    const { program, memory } = call;
    const { directory, text } = lookUp(call, fd, { path, length, lookup, rights: RIGHTS.path_open });
    memory.require(result, 4);
    const request = requestOf(call, { lookup, openFlags, base, inheriting, flags });
    requireRights(program.descriptors.get(fd), request);
    // Before anything is opened or made.
    program.descriptors.requireRoom();
    return run(
      open(directory, text, request, (opened) => {
        requireWanted(call);
        memory.setU32(result, add(program, opened, request));
      }),
    );
  },
};

function requestOf(
  call: Syscall,
  params: {
    readonly lookup: number;
    readonly openFlags: number;
    readonly base: bigint;
    readonly inheriting: bigint;
    readonly flags: number;
  },
): Request {
  const { lookup, openFlags, flags } = params;
  if ((openFlags & ~ALL_OPEN_FLAGS) !== 0 || (flags & ~ALL_FD_FLAGS) !== 0) throw new Errno("EINVAL");
  const has = (flag: number): boolean => (openFlags & flag) !== 0;
  const create = has(OPEN_FLAGS.creat);
  const directory = has(OPEN_FLAGS.directory);
  // Linux: O_CREAT with O_DIRECTORY.
  if (create && directory) throw new Errno("EINVAL");
  const base = BigInt.asUintN(64, params.base) & APPLICABLE_RIGHTS;
  return {
    isFollowing: (lookup & SYMLINK_FOLLOW) !== 0,
    options: {
      read: (base & RIGHTS.fd_read) !== 0n,
      write: (base & WRITING_RIGHTS) !== 0n,
      create,
      exclusive: has(OPEN_FLAGS.excl),
      truncate: has(OPEN_FLAGS.trunc),
      directory,
      // Made only if somebody asks for it.
      get signal() {
        return call.signal;
      },
    },
    base,
    inheriting: BigInt.asUintN(64, params.inheriting) & APPLICABLE_RIGHTS,
    flags,
  };
}

/** Nothing is had through a directory that it may not give. */
function requireRights(directory: Descriptor, { options, base, inheriting, flags }: Request): void {
  if (options.create) directory.requireRights(RIGHTS.path_create_file);
  if (options.truncate) directory.requireRights(RIGHTS.path_filestat_set_size);
  let inherited = base | inheriting;
  if ((flags & FD_FLAGS.dsync) !== 0) inherited |= RIGHTS.fd_datasync;
  if ((flags & (FD_FLAGS.rsync | FD_FLAGS.sync)) !== 0) inherited |= RIGHTS.fd_sync;
  if ((inherited & ~directory.inheriting) !== 0n) throw new Errno("ENOTCAPABLE");
}

/** Opens what the path names and gives it to `use`; closes it again if that fails. */
function* open(directory: Directory, path: string, request: Request, use: (opened: Opened) => void): Steps<void> {
  const opened = yield* walkPath(directory, path, (walk) => openLast(walk, request));
  try {
    if (opened.kind === "directory") requireReadable(request.options);
    if (opened.kind !== "directory" && request.options.directory) throw new Errno("ENOTDIR");
    use(opened);
  } catch (error) {
    yield* soon(opened.close());
    throw error;
  }
}

function requireReadable({ write, truncate, create }: OpenOptions): void {
  if (write || truncate || create) throw new Errno("EISDIR");
}

function* openLast(walk: PathWalk, { isFollowing, options }: Request): Steps<Opened> {
  for (;;) {
    const name = yield* walk.toLast();
    if (name === undefined) return yield* openItself(walk.directory, options);
    try {
      return yield* soon(walk.directory.open(name, optionsFor(walk, options)));
    } catch (error) {
      if (errnoOf(error) !== ERRNO.ELOOP || !(isFollowing || walk.mustBeDirectory)) throw error;
    }
    yield* walk.follow(name);
  }
}

function* openItself(directory: Directory, options: OpenOptions): Steps<Opened> {
  if (options.create && options.exclusive) throw new Errno("EEXIST");
  requireReadable(options);
  return yield* soon(directory.reopen());
}

/** A directory is not open for writing; that it was to be is found out when it is known to be one. */
function optionsFor({ mustBeDirectory }: PathWalk, options: OpenOptions): OpenOptions {
  // Linux, of a path with a slash at its end.
  if (mustBeDirectory && options.create) throw new Errno("EISDIR");
  if (!mustBeDirectory && !options.directory) return options;
  return { ...options, write: false, truncate: false, directory: true };
}

function add({ descriptors }: Program, opened: Opened, { base, inheriting, flags }: Request): number {
  switch (opened.kind) {
    case "file":
      return descriptors.add(new FileDescriptor(opened, base & FILE_RIGHTS, flags));
    case "directory": {
      const rights = { base: base & DIRECTORY_RIGHTS, inheriting };
      const descriptor = new DirectoryDescriptor(opened, rights);
      descriptor.flags = flags;
      return descriptors.add(descriptor);
    }
    default:
      return descriptors.add(openedStream(opened, base, flags));
  }
}
