/**
 * Threads of browsers: workers. They need a page that is isolated from others (`crossOriginIsolated`), or there is no memory to share.
 *
 * Nothing but what can be written into memory passes while one side is blocked; and that a worker is gone shows only in the event loop.
 * Chromium starts a worker only when the one that has made it comes to its event loop: who blocks at once waits in vain.
 */

import { ThreadError } from "./thread-end.ts";
import type { StartedThread, ThreadInside, ThreadStart } from "./thread-platform.ts";

interface WebStart<Data> {
  readonly start: Data;
  /** The thread sets it to 1. */
  readonly begun: SharedArrayBuffer;
}

/** How long whoever is blocked waits for a thread to begin. */
const MAX_START_MS = 5000;

export function startWebThread<Data>({ entry, name, data, transfer = [], options }: ThreadStart<Data>): StartedThread {
  if (typeof SharedArrayBuffer === "undefined") {
    throw new TypeError(
      "Cannot start a thread: there is no SharedArrayBuffer. The page has to be served with the headers " +
        "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp",
    );
  }
  const worker = new Worker(entry, { type: "module", name, ...options });
  const begun = new SharedArrayBuffer(4);
  worker.postMessage({ start: data, begun } satisfies WebStart<Data>, [...transfer]);
  return new WebThread(worker, new Int32Array(begun));
}

class WebThread implements StartedThread {
  readonly port = undefined;
  readonly ended: Promise<ThreadError>;
  readonly #worker: Worker;
  readonly #begun: Int32Array;
  readonly #startedAt = performance.now();
  #end: ThreadError | undefined;
  #resolveEnded: (end: ThreadError) => void = () => {};

  constructor(worker: Worker, begun: Int32Array) {
    this.#worker = worker;
    this.#begun = begun;
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    worker.addEventListener("error", (event) => {
      const { message } = event;
      const error: unknown = event.error;
      const text = message || "its module cannot be loaded";
      this.#finish(new ThreadError("failed", `The thread has ended with an error: ${text}`, { cause: error ?? text }));
      worker.terminate();
    });
  }

  post(message: unknown, transfer: readonly Transferable[] = []): void {
    this.#worker.postMessage(message, [...transfer]);
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#worker.addEventListener("message", ({ data }) => listener(data));
  }

  whyEnded(isBlocked: boolean): ThreadError | undefined {
    if (this.#end !== undefined || !isBlocked || Atomics.load(this.#begun, 0) === 1) return this.#end;
    if (performance.now() - this.#startedAt < MAX_START_MS) return undefined;
    const message =
      "The thread has not begun: some browsers start none while the one that has made it is blocked. Let it start before";
    return new ThreadError("would-deadlock", message);
  }

  terminate(reason: ThreadError): Promise<void> {
    this.#worker.terminate();
    this.#finish(reason);
    return Promise.resolve();
  }

  // A page lives as long as it is shown.
  ref(): void {}
  unref(): void {}

  #finish(end: ThreadError): void {
    this.#end ??= end;
    this.#resolveEnded(this.#end);
  }
}

interface WorkerScope {
  postMessage(message: unknown, transfer: readonly Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void, options?: { once: boolean }): void;
  close(): void;
}

/** What a thread is given that {@link startWebThread} has started: with its first message. */
export function enterWebThread<Data>(): Promise<ThreadInside<Data>> {
  const scope = globalThis as unknown as WorkerScope;
  return new Promise((resolve) => {
    scope.addEventListener(
      "message",
      ({ data }) => {
        const { start, begun } = data as WebStart<Data>;
        Atomics.store(new Int32Array(begun), 0, 1);
        resolve({
          data: start,
          port: undefined,
          post: (message, transfer = []) => scope.postMessage(message, transfer),
          onMessage: (listener) => scope.addEventListener("message", (event) => listener(event.data)),
          leave: () => scope.close(),
        });
      },
      { once: true },
    );
  });
}
