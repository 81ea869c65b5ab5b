/** The reverse of `startThread()`: a plain function that blocks until an asynchronous one has answered. */

import { BlockingCaller } from "../threads/blocking-caller.ts";
import type { BlockingCallOptions } from "../threads/blocking-caller.ts";
import { startPlatformThread } from "../threads/choose-threads.ts";
import { KIND, makeLineMemory, openLine } from "../threads/line.ts";
import { unpackValue } from "../threads/packed-value.ts";
import { ThreadError } from "../threads/thread-end.ts";
import type { StartedThread } from "../threads/thread-platform.ts";
import { THREAD_ENTRY } from "./entries.ts";
import type { AnswerOf, ArgumentsOf, ExportKeys } from "./inference.ts";
import { RESOLVE_NAME } from "./messages.ts";
import type { ThreadData, ToParent } from "./messages.ts";

export interface ToSyncOptions extends BlockingCallOptions {
  /** For the platform's own constructor, for instance `resourceLimits` and `env` of Node's `Worker`. */
  readonly workerOptions?: object | undefined;
}

/** A function that blocks. Its thread is ended when it is disposed of, or with the process. */
export interface SyncFunction<Args extends readonly unknown[], Answer> extends Disposable {
  (...args: Args): Answer;
  /** Starts the thread, if there is none, and waits until its module has loaded: in workers of browsers that has to come before the first call. */
  prepare(): Promise<void>;
}

/**
 * Makes a plain function of an asynchronous one, which runs in a thread of its own: the thread that calls it blocks until it has answered.
 *
 * The thread starts with the first call, and again with the first one after it has ended. It does not keep the process alive.
 *
 * @example
 *     const readText = toSync<typeof import("./reader.js"), "readText">(new URL("./reader.js", import.meta.url), "readText");
 *     const text = readText("notes.txt");
 *
 * @param module the URL of the module that exports it
 * @returns a function that throws what the asynchronous one throws, a {@link ThreadError} when the thread ends before it has answered, and a
 *   `TimeoutError` after `timeoutMs` (the start of the thread counts): then it goes on in the thread, and its answer is dropped
 */
export function toSync<Module extends object, Key extends ExportKeys<Module> & string>(
  module: URL | string,
  exportName: Key,
  { workerOptions, ...limits }: ToSyncOptions = {},
): SyncFunction<ArgumentsOf<Module, Key>, AnswerOf<Module, Key>> {
  let thread: SyncThread | undefined;
  const start = (): SyncThread => {
    if (thread === undefined || thread.hasEnded) thread = new SyncThread(String(module), exportName, workerOptions);
    return thread;
  };
  const call = (...args: unknown[]): unknown => start().call(args, limits);
  const prepare = (): Promise<void> => start().prepare();
  const dispose = (): void => {
    thread?.terminate();
    thread = undefined;
  };
  return Object.assign(call, { prepare, [Symbol.dispose]: dispose }) as SyncFunction<
    ArgumentsOf<Module, Key>,
    AnswerOf<Module, Key>
  >; // the type is the user's word
}

class SyncThread {
  readonly #started: StartedThread;
  readonly #caller: BlockingCaller;
  readonly #name: string;
  readonly #loaded: Promise<void>;
  /** The function's number in the thread, once it is known. */
  #number: number | undefined;

  constructor(module: string, name: string, options: object | undefined) {
    this.#name = name;
    const data: ThreadData = { module, line: makeLineMemory(), hostNames: [] };
    this.#started = startPlatformThread({ entry: THREAD_ENTRY, name: module, data, options });
    this.#started.unref();
    this.#loaded = new Promise((resolve, reject) => {
      void this.#started.ended.then(reject);
      this.#started.onMessage((received) => {
        const message = received as ToParent; // the thread sends nothing else
        if (message.type === "loaded") resolve();
        if (message.type === "failed") reject(unpackValue(message.error));
      });
    });
    // Whoever calls is told the same.
    this.#loaded.catch(() => {});
    const line = openLine(data.line, "parent", {
      port: this.#started.port,
      ring: () => this.#started.post({ type: "ring" }),
      whyEnded: () => this.#started.whyEnded(true),
    });
    this.#caller = new BlockingCaller(line, {
      describe: () => name,
      answer: (call) =>
        this.#caller.answer(call, KIND.threw, new ThreadError("would-deadlock", "The parent is blocked")),
    });
  }

  get hasEnded(): boolean {
    return this.#started.whyEnded(false) !== undefined;
  }

  async prepare(): Promise<void> {
    this.#started.ref();
    try {
      await this.#loaded;
    } finally {
      this.#started.unref();
    }
  }

  call(args: readonly unknown[], limits: BlockingCallOptions): unknown {
    this.#number ??= this.#caller.call(RESOLVE_NAME, [this.#name], limits) as number; // answers with a number, or throws
    return this.#caller.call(this.#number, args, limits);
  }

  terminate(): void {
    void this.#started.terminate(new ThreadError("terminated", "The thread was terminated"));
  }
}
