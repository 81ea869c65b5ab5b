/** `stackful/blocking`: synchronous JavaScript calls asynchronous functions of another thread, and waits for them. */

export type { BlockingCallOptions } from "../threads/blocking-caller.ts";
export { ThreadError } from "../threads/thread-end.ts";
export type { ThreadErrorReason } from "../threads/thread-end.ts";
export { transfer } from "../threads/transfer.ts";
export { host } from "./host.ts";
export type { Blocking, Remote } from "./inference.ts";
export { callSignal } from "./served-call.ts";
export { startThread } from "./thread.ts";
export type { Thread, ThreadCallOptions, ThreadOptions } from "./thread.ts";
export { toSync } from "./to-sync.ts";
export type { SyncFunction, ToSyncOptions } from "./to-sync.ts";
export { prepareCoroutineThreads, workerCoroutine } from "./worker-coroutine.ts";
export type { WorkerCoroutineOptions } from "./worker-coroutine.ts";
export type { Yielder } from "./yielder.ts";
