/** How the host side says no. */

/** Names of errors that a program can be told, as Node and POSIX have them. */
export type ErrorCode =
  | "E2BIG"
  | "EACCES"
  | "EADDRINUSE"
  | "EADDRNOTAVAIL"
  | "EAFNOSUPPORT"
  | "EAGAIN"
  | "EALREADY"
  | "EBADF"
  | "EBUSY"
  | "ECANCELED"
  | "ECONNABORTED"
  | "ECONNREFUSED"
  | "ECONNRESET"
  | "EDEADLK"
  | "EDQUOT"
  | "EEXIST"
  | "EFAULT"
  | "EFBIG"
  | "EHOSTUNREACH"
  | "EILSEQ"
  | "EINPROGRESS"
  | "EINTR"
  | "EINVAL"
  | "EIO"
  | "EISCONN"
  | "EISDIR"
  | "ELOOP"
  | "EMFILE"
  | "EMLINK"
  | "EMSGSIZE"
  | "ENAMETOOLONG"
  | "ENETDOWN"
  | "ENETUNREACH"
  | "ENFILE"
  | "ENOBUFS"
  | "ENODEV"
  | "ENOENT"
  | "ENOLCK"
  | "ENOMEM"
  | "ENOSPC"
  | "ENOSYS"
  | "ENOTCAPABLE"
  | "ENOTCONN"
  | "ENOTDIR"
  | "ENOTEMPTY"
  | "ENOTSOCK"
  | "ENOTSUP"
  | "ENOTTY"
  | "ENXIO"
  | "EOVERFLOW"
  | "EPERM"
  | "EPIPE"
  | "EPROTO"
  | "EPROTONOSUPPORT"
  | "ERANGE"
  | "EROFS"
  | "ESPIPE"
  | "ESRCH"
  | "ETIMEDOUT"
  | "ETXTBSY"
  | "EXDEV";

/**
 * Thrown, or rejected with, by whatever offers a file system, a stream or a network. Any error that has one of these codes in its
 * property `code` means the same, those of Node included; one without is `EIO` to the program.
 */
export class HostError extends Error {
  override readonly name = "HostError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string = code, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
