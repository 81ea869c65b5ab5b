/** What a descriptor may be used for, as bits. (witx: `rights`) */

/** In the order of their bits. */
const NAMES = [
  "fd_datasync", "fd_read", "fd_seek", "fd_fdstat_set_flags", "fd_sync", "fd_tell", "fd_write", "fd_advise", "fd_allocate",
  "path_create_directory", "path_create_file", "path_link_source", "path_link_target", "path_open", "fd_readdir", "path_readlink",
  "path_rename_source", "path_rename_target", "path_filestat_get", "path_filestat_set_size", "path_filestat_set_times",
  "fd_filestat_get", "fd_filestat_set_size", "fd_filestat_set_times", "path_symlink", "path_remove_directory", "path_unlink_file",
  "poll_fd_readwrite", "sock_shutdown", "sock_accept",
] as const; // prettier-ignore

export type Right = (typeof NAMES)[number];

/** Right → its bit. */
export const RIGHTS = Object.freeze(
  Object.fromEntries(NAMES.map((name, bit) => [name, 1n << BigInt(bit)])),
) as Readonly<Record<Right, bigint>>;

function union(...names: readonly Right[]): bigint {
  return names.reduce((bits, name) => bits | RIGHTS[name], 0n);
}

/** All that can be done with a regular file. */
export const FILE_RIGHTS: bigint = union(
  "fd_datasync", "fd_read", "fd_seek", "fd_fdstat_set_flags", "fd_sync", "fd_tell", "fd_write", "fd_advise", "fd_allocate",
  "fd_filestat_get", "fd_filestat_set_size", "fd_filestat_set_times", "poll_fd_readwrite",
); // prettier-ignore

/** All that can be done with a directory itself. */
export const DIRECTORY_RIGHTS: bigint = union(
  "fd_fdstat_set_flags", "fd_sync", "fd_advise", "path_create_directory", "path_create_file", "path_link_source", "path_link_target",
  "path_open", "fd_readdir", "path_readlink", "path_rename_source", "path_rename_target", "path_filestat_get",
  "path_filestat_set_size", "path_filestat_set_times", "fd_filestat_get", "fd_filestat_set_times", "path_symlink",
  "path_remove_directory", "path_unlink_file", "poll_fd_readwrite",
); // prettier-ignore

/** Standard input and output, pipes, terminals. Without `fd_seek` and `fd_tell`: that is how wasi-libc knows a terminal. */
export const STREAM_RIGHTS: bigint = union(
  "fd_read",
  "fd_fdstat_set_flags",
  "fd_write",
  "fd_filestat_get",
  "poll_fd_readwrite",
);

export const LISTENER_RIGHTS: bigint = union(
  "fd_read",
  "fd_fdstat_set_flags",
  "fd_filestat_get",
  "poll_fd_readwrite",
  "sock_accept",
);

export const CONNECTION_RIGHTS: bigint = STREAM_RIGHTS | RIGHTS.sock_shutdown;
