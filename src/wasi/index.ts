/** `stackful/wasi`: programs that were compiled to WASI preview 1. */

export { WasiExit } from "./exit.ts";
export type { Clock } from "./host/clock.ts";
export type {
  Directory,
  DirectoryEntry,
  FileStat,
  FileType,
  OpenFile,
  OpenOptions,
  OpenStream,
  Soon,
  TimeChange,
} from "./host/file-system.ts";
export type { EventReadable, EventWritable } from "./host/event-streams.ts";
export { HostError } from "./host/host-error.ts";
export type { ErrorCode } from "./host/host-error.ts";
export type { Chunk, InputSource } from "./host/input.ts";
export { MemoryFileSystem, SymbolicLink } from "./host/memory-file-system.ts";
export type { MemoryFileSystemOptions, MemoryTree } from "./host/memory-file-system.ts";
export { openPromisesDirectory } from "./host/promises-file-system.ts";
export type { PromisesFileSystem, PromisesHandle, PromisesStat } from "./host/promises-file-system.ts";
export { openNodeDirectory } from "./host/node-file-system.ts";
export type { NodeDirectoryOptions } from "./host/node-file-system.ts";
export type { OutputTarget } from "./host/output.ts";
export { MemoryNetwork } from "./host/memory-network.ts";
export type { MemoryListener } from "./host/memory-network.ts";
export { MemoryPipe } from "./host/memory-pipe.ts";
export type { Connection, Listener, Network } from "./host/network.ts";
export { NodeListener, NodeNetwork } from "./host/node-network.ts";
export type { NodeAddress } from "./host/node-network.ts";
export type { Random } from "./host/random.ts";
export { readOnly } from "./host/read-only.ts";
export type { InputStream, OutputStream, StreamKind } from "./host/stream.ts";
export { TextOutput, lines } from "./host/text-output.ts";
export type { NetworkAccess } from "./network-access.ts";
export type { Preopen, Preopens } from "./preopens.ts";
export type {
  SyscallBuffers,
  SyscallEvent,
  SyscallObserver,
  SyscallSubscription,
  SyscallValue,
} from "./preview1/syscall-event.ts";
export type { StandardStreams } from "./stdio.ts";
export { WASI } from "./wasi.ts";
export type { WasiImports } from "./wasi.ts";
export type { WasiOptions } from "./wasi-options.ts";
export { DeadlockError } from "../tasks/deadlock.ts";
export type { StuckTask } from "../tasks/deadlock.ts";
