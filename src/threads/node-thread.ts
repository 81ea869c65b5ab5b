/** Threads of Node. */

import type * as workerThreads from "node:worker_threads";
import type { MessagePort, Worker, WorkerOptions } from "node:worker_threads";
import { Mailbox, makeMailboxMemory } from "./mailbox.ts";
import type { MailboxMemory, ValuePort } from "./mailbox.ts";
import { passable } from "./passable-error.ts";
import { ThreadError } from "./thread-end.ts";
import type { StartedThread, ThreadInside, ThreadStart } from "./thread-platform.ts";

interface NodeStart<Data> {
  readonly data: Data;
  readonly values: MessagePort;
  readonly life: MessagePort;
  /** What it says of its end: a message whose id is its exit code. */
  readonly epitaph: MailboxMemory;
}

/** What `node --input-type=module --eval …` has been given, and a thread, which runs a file, does not take. */
const isForEval = (flag: string): boolean => flag.startsWith("--input-type=");

const EXITED = 1;
const FAILED = 2;

interface NodeProcess {
  readonly getBuiltinModule?: (name: "node:worker_threads") => typeof workerThreads | undefined;
}

/** Without an import: what imports this file also runs where there is no Node. */
function findWorkerThreads(): typeof workerThreads | undefined {
  const { process } = globalThis as { process?: NodeProcess };
  return process?.getBuiltinModule?.("node:worker_threads");
}

const builtin = findWorkerThreads();

/** Whether this is Node. */
export const hasNodeThreads: boolean = builtin !== undefined;

function threadsOfNode(): typeof workerThreads {
  if (builtin === undefined) throw new TypeError("Cannot start a thread of Node: this is not Node");
  return builtin;
}

/** Starts a thread that runs the module `entry`. Works while this thread's event loop does not turn. */
export function startNodeThread<Data>({ entry, name, data, transfer = [], options }: ThreadStart<Data>): StartedThread {
  const { MessageChannel: Channel, Worker: NodeWorker } = threadsOfNode();
  const values = new Channel();
  const life = new Channel();
  const epitaphMemory = makeMailboxMemory();
  const start: NodeStart<Data> = { data, values: values.port2, life: life.port2, epitaph: epitaphMemory };
  const worker = new NodeWorker(entry, {
    name,
    // Not without need: what is inherited may hold flags that cannot be given.
    ...(process.execArgv.some(isForEval) && { execArgv: process.execArgv.filter((flag) => !isForEval(flag)) }),
    ...(options as WorkerOptions),
    workerData: start,
    transferList: [values.port2, life.port2, ...(transfer as readonly MessagePort[])],
  });
  values.port1.unref();
  life.port1.unref();
  return new NodeThread(worker, values.port1, life.port1, new Mailbox(epitaphMemory));
}

/** How long a thread that calls and does not wait believes that the other one is there. */
const CHECK_MS = 50;

class NodeThread implements StartedThread {
  readonly port: ValuePort;
  readonly ended: Promise<ThreadError>;
  readonly #worker: Worker;
  readonly #life: MessagePort;
  readonly #epitaph: Mailbox;
  /** Known before the event loop has told it when this thread was blocked meanwhile. */
  #end: ThreadError | undefined;
  #checkedAt = -Infinity;

  constructor(worker: Worker, values: MessagePort, life: MessagePort, epitaph: Mailbox) {
    this.#worker = worker;
    this.#life = life;
    this.#epitaph = epitaph;
    this.port = valuePort(values);
    let failure: unknown;
    worker.once("error", (error: unknown) => (failure = { error }));
    this.ended = new Promise((resolve) => {
      worker.once("exit", (exitCode) => {
        values.close();
        life.close();
        resolve((this.#end ??= this.#endOf(exitCode, failure as { error: unknown } | undefined)));
      });
    });
  }

  post(message: unknown, transfer: readonly Transferable[] = []): void {
    this.#worker.postMessage(message, [...(transfer as readonly MessagePort[])]);
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#worker.on("message", listener);
  }

  /**
   * A port says in what `postMessage` returns whether it is still connected. That is the one sign of life of a thread that can be had without
   * an event loop: `threadId`, the event loop's utilization and `receiveMessageOnPort` go on as if nothing had happened.
   */
  whyEnded(isBlocked: boolean): ThreadError | undefined {
    if (this.#end !== undefined || !(isBlocked || this.#isCheckDue())) return this.#end;
    const isConnected: unknown = this.#life.postMessage(0);
    if (isConnected === true) return undefined;
    this.#end = this.#endOf(undefined, undefined);
    return this.#end;
  }

  /** Each check is a message that the thread has to take. One that ends by itself leaves word of it. */
  #isCheckDue(): boolean {
    const now = performance.now();
    if (now < this.#checkedAt + CHECK_MS && !this.#epitaph.hasMessage) return false;
    this.#checkedAt = now;
    return true;
  }

  async terminate(reason: ThreadError): Promise<void> {
    this.#end ??= reason;
    await this.#worker.terminate();
  }

  ref(): void {
    this.#worker.ref();
  }

  unref(): void {
    this.#worker.unref();
  }

  #endOf(exitCode: number | undefined, failure: { readonly error: unknown } | undefined): ThreadError {
    const epitaph = this.#epitaph.take();
    if (epitaph?.kind === FAILED) return failed(epitaph.value);
    if ((failure?.error as { code?: unknown } | undefined)?.code === "ERR_WORKER_OUT_OF_MEMORY") {
      return new ThreadError("out-of-memory", "The thread has used more memory than it may", { cause: failure?.error });
    }
    if (failure !== undefined) return failed(failure.error);
    const code = epitaph?.id ?? exitCode;
    if (code !== undefined)
      return new ThreadError("exited", `The thread has ended with exit code ${code}`, { exitCode: code });
    return new ThreadError("lost", "The thread is gone without a word, for instance because it had no more memory");
  }
}

function failed(cause: unknown): ThreadError {
  return new ThreadError("failed", `The thread has ended with an error: ${String(cause)}`, { cause });
}

function valuePort(port: MessagePort): ValuePort {
  return {
    post: (value, transfer) => port.postMessage(value, [...(transfer as readonly MessagePort[])]),
    receive: () => {
      const received = threadsOfNode().receiveMessageOnPort(port);
      return received && { value: received.message };
    },
  };
}

/** What a thread is given that {@link startNodeThread} has started. */
export function enterNodeThread<Data>(): ThreadInside<Data> {
  const threads = threadsOfNode();
  const { data, values, life, epitaph } = threads.workerData as NodeStart<Data>;
  const port = threads.parentPort!; // it was started as a thread
  life.on("message", () => {});
  life.unref();
  values.unref();
  const last = new Mailbox(epitaph);
  const say = (kind: number, exitCode: number, value: unknown): void => {
    last.post({ kind, id: exitCode, name: 0, depth: 0, owner: 0 }, value);
  };
  process.on("uncaughtExceptionMonitor", (error) =>
    say(FAILED, 1, error instanceof Error ? passable(error) : String(error)),
  );
  process.on("exit", (exitCode) => say(EXITED, exitCode, undefined));
  return {
    data,
    port: valuePort(values),
    post: (message, transfer = []) => port.postMessage(message, [...(transfer as readonly MessagePort[])]),
    onMessage: (listener) => port.on("message", listener),
    leave: () => {
      port.close();
      life.close();
      values.close();
    },
  };
}
