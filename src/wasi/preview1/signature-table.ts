/** What the parameters of each call of preview 1 are called and what they mean. (witx: wasi_snapshot_preview1) */

/**
 * What one parameter, or two that belong together, stand for:
 *
 * - `u32`, `u64`, `s64`, `fd`: a number
 * - `path`: pointer and length of a text
 * - `data`: pointer and length of an array of buffers
 * - `buffer`: pointer and length of a place for bytes
 * - `pointer`: where the call writes to; says nothing to anybody
 * - `subscriptions`: where `poll_oneoff` finds what to wait for; its number comes last
 * - any other: a number with names for its values or bits, in syscall-event.ts
 */
export type ParameterKind =
  | "u32"
  | "u64"
  | "s64"
  | "fd"
  | "path"
  | "data"
  | "buffer"
  | "pointer"
  | "subscriptions"
  | "clockid"
  | "advice"
  | "fdflags"
  | "lookupflags"
  | "oflags"
  | "fstflags"
  | "rights"
  | "whence"
  | "signal"
  | "riflags"
  | "siflags"
  | "sdflags";

/** What a call writes when it succeeds; its pointer is the last parameter, or one of the last. */
export type ResultKind = "u32" | "u64" | "fd" | "roflags" | "fdstat" | "filestat" | "prestat";

export interface SyscallSignature {
  readonly params: readonly (readonly [name: string, kind: ParameterKind])[];
  readonly results: readonly (readonly [name: string, kind: ResultKind])[];
}

/** Name of a call → its signature: `name kind`, and behind the arrow what it writes. */
const TEXTS = {
  args_get: "argv pointer, argv_buf pointer ->",
  args_sizes_get: "-> argc u32, argv_buf_size u32",
  environ_get: "environ pointer, environ_buf pointer ->",
  environ_sizes_get: "-> count u32, environ_buf_size u32",
  clock_res_get: "id clockid -> resolution u64",
  clock_time_get: "id clockid, precision u64 -> time u64",
  fd_advise: "fd fd, offset u64, len u64, advice advice ->",
  fd_allocate: "fd fd, offset u64, len u64 ->",
  fd_close: "fd fd ->",
  fd_datasync: "fd fd ->",
  fd_fdstat_get: "fd fd -> stat fdstat",
  fd_fdstat_set_flags: "fd fd, flags fdflags ->",
  fd_fdstat_set_rights: "fd fd, fs_rights_base rights, fs_rights_inheriting rights ->",
  fd_filestat_get: "fd fd -> stat filestat",
  fd_filestat_set_size: "fd fd, size u64 ->",
  fd_filestat_set_times: "fd fd, atim u64, mtim u64, fst_flags fstflags ->",
  fd_pread: "fd fd, iovs data, offset u64 -> nread u32",
  fd_prestat_get: "fd fd -> stat prestat",
  fd_prestat_dir_name: "fd fd, path buffer ->",
  fd_pwrite: "fd fd, iovs data, offset u64 -> nwritten u32",
  fd_read: "fd fd, iovs data -> nread u32",
  fd_readdir: "fd fd, buf buffer, cookie u64 -> bufused u32",
  fd_renumber: "fd fd, to fd ->",
  fd_seek: "fd fd, offset s64, whence whence -> newoffset u64",
  fd_sync: "fd fd ->",
  fd_tell: "fd fd -> offset u64",
  fd_write: "fd fd, iovs data -> nwritten u32",
  path_create_directory: "fd fd, path path ->",
  path_filestat_get: "fd fd, flags lookupflags, path path -> stat filestat",
  path_filestat_set_times: "fd fd, flags lookupflags, path path, atim u64, mtim u64, fst_flags fstflags ->",
  path_link: "old_fd fd, old_flags lookupflags, old_path path, new_fd fd, new_path path ->",
  path_open:
    "fd fd, dirflags lookupflags, path path, oflags oflags, fs_rights_base rights, fs_rights_inheriting rights, fdflags fdflags -> opened_fd fd",
  path_readlink: "fd fd, path path, buf buffer -> bufused u32",
  path_remove_directory: "fd fd, path path ->",
  path_rename: "fd fd, old_path path, new_fd fd, new_path path ->",
  path_symlink: "old_path path, fd fd, new_path path ->",
  path_unlink_file: "fd fd, path path ->",
  poll_oneoff: "in subscriptions, out pointer, nsubscriptions u32 -> nevents u32",
  proc_exit: "rval u32 ->",
  proc_raise: "sig signal ->",
  random_get: "buf buffer ->",
  sched_yield: "->",
  sock_accept: "fd fd, flags fdflags -> accepted_fd fd",
  sock_recv: "fd fd, ri_data data, ri_flags riflags -> ro_datalen u32, ro_flags roflags",
  sock_send: "fd fd, si_data data, si_flags siflags -> so_datalen u32",
  sock_shutdown: "fd fd, how sdflags ->",
} as const;

export type SyscallName = keyof typeof TEXTS;

function parse(text: string): SyscallSignature {
  const [params = "", results = ""] = text.split("->");
  return { params: entries(params), results: entries(results) };
}

function entries<Kind extends string>(text: string): [string, Kind][] {
  const parts = text.split(",").filter((part) => part.trim() !== "");
  // The table above has only names of kinds there, which a test checks.
  return parts.map((part) => part.trim().split(" ") as [string, Kind]);
}

export const SIGNATURES: Readonly<Record<SyscallName, SyscallSignature>> = Object.fromEntries(
  Object.entries(TEXTS).map(([name, text]) => [name, parse(text)]),
  // Of all names of TEXTS, and of no others.
) as Record<SyscallName, SyscallSignature>;
