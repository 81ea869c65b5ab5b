/** What a platform has to offer for threads. */

import type { ValuePort } from "./mailbox.ts";
import type { ThreadError } from "./thread-end.ts";

export interface ThreadStart<Data> {
  /** The module that it runs. */
  readonly entry: URL;
  /** For debuggers. */
  readonly name: string;
  readonly data: Data;
  readonly transfer?: readonly Transferable[];
  /** For the platform's own constructor. */
  readonly options?: object | undefined;
}

/** A thread, for the one that has started it. */
export interface StartedThread {
  /** For values that only the platform can clone; `undefined`: it cannot without an event loop. */
  readonly port: ValuePort | undefined;
  /** Fulfils when it has ended, with how. */
  readonly ended: Promise<ThreadError>;
  post(message: unknown, transfer?: readonly Transferable[]): void;
  onMessage(listener: (message: unknown) => void): void;
  /**
   * How it has ended; `undefined`: it has not. Where `isBlocked`, it says so without the event loop, as far as the platform can tell; also why
   * the thread cannot answer although it has not ended.
   */
  whyEnded(isBlocked: boolean): ThreadError | undefined;
  /** Ends it, wherever it is; `reason` is then how. */
  terminate(reason: ThreadError): Promise<void>;
  /** Keeps the process alive, or not. */
  ref(): void;
  unref(): void;
}

/** A thread, for itself. */
export interface ThreadInside<Data> {
  readonly data: Data;
  readonly port: ValuePort | undefined;
  post(message: unknown, transfer?: readonly Transferable[]): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Listens no more: the thread ends when it has nothing else to do. */
  leave(): void;
}
