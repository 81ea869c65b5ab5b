/** Error numbers of preview 1. (witx: `errno`) */

import { HostError } from "../host/host-error.ts";

/** In the order of their numbers. */
const NAMES = [
  "ESUCCESS", "E2BIG", "EACCES", "EADDRINUSE", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EAGAIN", "EALREADY", "EBADF", "EBADMSG",
  "EBUSY", "ECANCELED", "ECHILD", "ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EDEADLK", "EDESTADDRREQ", "EDOM", "EDQUOT",
  "EEXIST", "EFAULT", "EFBIG", "EHOSTUNREACH", "EIDRM", "EILSEQ", "EINPROGRESS", "EINTR", "EINVAL", "EIO",
  "EISCONN", "EISDIR", "ELOOP", "EMFILE", "EMLINK", "EMSGSIZE", "EMULTIHOP", "ENAMETOOLONG", "ENETDOWN", "ENETRESET",
  "ENETUNREACH", "ENFILE", "ENOBUFS", "ENODEV", "ENOENT", "ENOEXEC", "ENOLCK", "ENOLINK", "ENOMEM", "ENOMSG",
  "ENOPROTOOPT", "ENOSPC", "ENOSYS", "ENOTCONN", "ENOTDIR", "ENOTEMPTY", "ENOTRECOVERABLE", "ENOTSOCK", "ENOTSUP", "ENOTTY",
  "ENXIO", "EOVERFLOW", "EOWNERDEAD", "EPERM", "EPIPE", "EPROTO", "EPROTONOSUPPORT", "EPROTOTYPE", "ERANGE", "EROFS",
  "ESPIPE", "ESRCH", "ESTALE", "ETIMEDOUT", "ETXTBSY", "EXDEV", "ENOTCAPABLE",
] as const; // prettier-ignore

export type ErrnoName = (typeof NAMES)[number];

/** Name → number. */
export const ERRNO = Object.freeze(Object.fromEntries(NAMES.map((name, number) => [name, number]))) as Readonly<
  Record<ErrnoName, number>
>;

export const ESUCCESS = 0;

export function errnoName(number: number): string {
  return NAMES[number] ?? `errno ${number}`;
}

/** What a call fails with. Thrown inside, caught where the call began: it never reaches the program, or whoever runs it. */
export class Errno extends HostError {
  readonly number: number;

  constructor(name: Exclude<ErrnoName, "ESUCCESS">) {
    // What HostError has no name for is made here only.
    super(name as HostError["code"]);
    this.number = ERRNO[name];
  }
}

/** Names that other systems have for the same. */
const SYNONYMS: Readonly<Record<string, ErrnoName>> = {
  EWOULDBLOCK: "EAGAIN",
  EOPNOTSUPP: "ENOTSUP",
  ENOTFOUND: "EHOSTUNREACH",
  EAI_AGAIN: "EHOSTUNREACH",
  ERR_INVALID_ARG_VALUE: "EINVAL",
  ERR_FS_FILE_TOO_LARGE: "EFBIG",
  ERR_STREAM_DESTROYED: "EPIPE",
  ERR_STREAM_WRITE_AFTER_END: "EPIPE",
  ERR_STREAM_PREMATURE_CLOSE: "ECONNRESET",
  ENODATA: "EINVAL",
};

/** The number for whatever a host has thrown: by its property `code`; `EIO` if that says nothing. */
export function errnoOf(error: unknown): number {
  if (error instanceof Errno) return error.number;
  const code = codeOf(error);
  if (code === undefined) return ERRNO.EIO;
  const number = ERRNO[(SYNONYMS[code] ?? code) as ErrnoName] as number | undefined;
  // Whatever was thrown, the call has not succeeded.
  return number === undefined || number === ERRNO.ESUCCESS ? ERRNO.EIO : number;
}

/** A host may throw anything, also what cannot be looked at. */
function codeOf(error: unknown): string | undefined {
  try {
    const code = (error as { code?: unknown } | null | undefined)?.code;
    return typeof code === "string" ? code : undefined;
  } catch {
    return undefined;
  }
}
