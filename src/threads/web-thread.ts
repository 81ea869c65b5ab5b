/**
 * Threads of browsers: workers. They need a page that is isolated from others (`crossOriginIsolated`), or there is no memory to share.
 *
 * Nothing but what can be written into memory passes while one side is blocked; and that a worker is gone shows only in the event loop.
 */

import { ThreadError } from "./thread-end.ts";
import type { StartedThread, ThreadInside, ThreadStart } from "./thread-platform.ts";

interface WebStart<Data> {
  readonly start: Data;
}

export function startWebThread<Data>({ entry, name, data, transfer = [], options }: ThreadStart<Data>): StartedThread {
  if (typeof SharedArrayBuffer === "undefined") {
    throw new TypeError(
      "Cannot start a thread: there is no SharedArrayBuffer. The page has to be served with the headers " +
        "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp",
    );
  }
  const worker = new Worker(entry, { type: "module", name, ...options });
  worker.postMessage({ start: data } satisfies WebStart<Data>, [...transfer]);
  return new WebThread(worker);
}

class WebThread implements StartedThread {
  readonly port = undefined;
  readonly ended: Promise<ThreadError>;
  readonly #worker: Worker;
  #end: ThreadError | undefined;
  #resolveEnded: (end: ThreadError) => void = () => {};

  constructor(worker: Worker) {
    this.#worker = worker;
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

  whyEnded(): ThreadError | undefined {
    return this.#end;
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
        resolve({
          data: (data as WebStart<Data>).start,
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
