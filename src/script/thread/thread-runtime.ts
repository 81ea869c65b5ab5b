/**
 * An engine on its own thread, for the thread of its host: the pattern "blocking function calls" of Rhai, with two channels, one for commands
 * of scripts and one for replies. Beyond it, commands have numbers, a script that waits can be stopped, and the thread ends when it is
 * closed; one that does not react in time is ended.
 */

import { startPlatformThread } from "../../threads/choose-threads.ts";
import { ThreadError } from "../../threads/thread-end.ts";
import type { StartedThread } from "../../threads/thread-platform.ts";
import { HostReferences } from "../host-references.ts";
import type {
  FunctionReference,
  HostFunction,
  RuntimeOptions,
  ScriptLanguage,
  ScriptRuntime,
  SourceOptions,
} from "../language.ts";
import { STOPPED } from "../script-run.ts";
import type { ScriptRun } from "../script-run.ts";
import { decodeWire, encodeWire } from "../wire.ts";
import type { WireTarget } from "../wire.ts";
import type { Command, Outcome, RunOrder, ThreadData, ToHost, ToThread } from "./messages.ts";
import { SCRIPT_THREAD_ENTRY } from "./thread-entry.ts";

/** Milliseconds that the thread has to stop a script, or to end. */
const GRACE_MS = 5000;

interface PendingRun {
  /** `undefined` for what runs no script. */
  readonly run: ScriptRun | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class ThreadRuntime implements ScriptRuntime {
  readonly #thread: StartedThread;
  readonly #options: RuntimeOptions;
  readonly #references = new HostReferences();
  readonly #target: WireTarget;
  readonly #pending = new Map<number, PendingRun>();
  #lastRun = 0;
  #end: ThreadError | undefined;

  private constructor(thread: StartedThread, options: RuntimeOptions) {
    this.#thread = thread;
    this.#options = options;
    const references = this.#references;
    this.#target = {
      fromScript: (id, name) => options.functions.fromScript({ runtime: this, id, name }),
      referenceOf: (value) => options.functions.referenceOf(value),
      keepFunction: (callee) => references.keep(callee),
      hostFunction: (id) => references.get(id),
      keepError: (error) => references.keep(error),
      hostError: (id) => references.get(id),
    };
    thread.onMessage((message) => this.#onMessage(message as ToHost)); // the thread sends nothing else
    void thread.ended.then((end) => this.#onEnd(end));
  }

  /** @throws what the language throws when it cannot be started there */
  static async start({ name, origin }: ScriptLanguage, options: RuntimeOptions): Promise<ThreadRuntime> {
    const { backend, maxMemoryBytes, stackBytes } = options;
    const data: ThreadData = {
      origin,
      options: { backend, maxMemoryBytes, stackBytes },
      canLoadModules: options.loadModule !== undefined,
    };
    const thread = startThread(name, data);
    const runtime = new ThreadRuntime(thread, options);
    try {
      await runtime.#started();
    } catch (error) {
      throw error instanceof ThreadError && error.reason === "failed" ? error.cause : error;
    }
    return runtime;
  }

  define(path: readonly string[], callee: HostFunction): void {
    this.#send({ type: "define", path, callee: this.#references.keep(callee) });
  }

  evaluate(source: string, options: SourceOptions, run: ScriptRun): Promise<unknown> {
    return this.#run(run, (order) => ({ type: "evaluate", source, options, ...order }));
  }

  call(callee: readonly string[] | FunctionReference, args: readonly unknown[], run: ScriptRun): Promise<unknown> {
    const wire = encodeWire(args, this.#target);
    const named = "id" in callee ? callee.id : callee;
    return this.#run(run, (order) => ({ type: "call", callee: named, args: wire, ...order }));
  }

  release({ id }: FunctionReference): void {
    this.#send({ type: "release", reference: id });
  }

  memoryBytes(): Promise<number> {
    return this.#request(undefined, (run) => ({ type: "measure", run })) as Promise<number>; // the thread answers with a number
  }

  async close(): Promise<void> {
    this.#send({ type: "close" });
    const timer = setTimeout(() => void this.#thread.terminate(closed()), GRACE_MS);
    await this.#thread.ended;
    clearTimeout(timer);
  }

  #started(): Promise<unknown> {
    return new Promise((resolve, reject) => this.#pending.set(0, { run: undefined, resolve, reject }));
  }

  async #run(run: ScriptRun, message: (order: RunOrder) => ToThread): Promise<unknown> {
    let number = 0;
    const done = this.#request(run, (next) => {
      number = next;
      return message({ run: next, maxOperations: run.maxOperations, isWatched: run.isWatched });
    });
    const value = await run.waitFor(done);
    if (value !== STOPPED) return value;
    this.#send({ type: "stop", run: number });
    const timer = setTimeout(() => void this.#thread.terminate(stuck()), GRACE_MS);
    try {
      return await done;
    } finally {
      clearTimeout(timer);
    }
  }

  #request(run: ScriptRun | undefined, message: (run: number) => ToThread): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const number = ++this.#lastRun;
    return new Promise((resolve, reject) => {
      this.#keep(number, { run, resolve, reject });
      this.#send(message(number));
    });
  }

  /** While something is pending the thread keeps the process alive. */
  #keep(number: number, pending: PendingRun): void {
    this.#pending.set(number, pending);
    if (this.#pending.size === 1) this.#thread.ref();
  }

  #take(number: number): PendingRun | undefined {
    const pending = this.#pending.get(number);
    this.#pending.delete(number);
    if (this.#pending.size === 0) this.#thread.unref();
    return pending;
  }

  #send(message: ToThread): void {
    if (this.#end === undefined) this.#thread.post(message);
  }

  #onMessage(message: ToHost): void {
    switch (message.type) {
      case "started":
        this.#take(0)?.resolve(undefined);
        return;
      case "done":
        this.#settle(message.run, message.operations, message);
        return;
      case "command":
        void this.#obey(message.command, message.order);
        return;
      case "print":
        this.#options.print(message.text);
        return;
      case "release":
        this.#references.release(message.reference);
    }
  }

  #settle(number: number, operations: number, { isFulfilled, value }: Outcome): void {
    const pending = this.#take(number);
    // If it was stopped there because of its limit it is now here, too.
    pending?.run?.count(operations);
    const decoded = decodeWire(value, this.#target);
    if (isFulfilled) pending?.resolve(decoded);
    else pending?.reject(decoded);
  }

  async #obey(command: number, order: Command): Promise<void> {
    let isFulfilled = true;
    let value: unknown;
    try {
      value = await this.#answer(order);
    } catch (error) {
      isFulfilled = false;
      value = error;
    }
    this.#send({ type: "reply", command, isFulfilled, value: this.#encode(value) });
  }

  #encode(value: unknown): Outcome["value"] {
    try {
      return encodeWire(value, this.#target);
    } catch (error) {
      return encodeWire(error, this.#target);
    }
  }

  async #answer(order: Command): Promise<unknown> {
    if (order.kind === "load") return this.#options.loadModule?.(order.name);
    const { run } = this.#pending.get(order.run) ?? {};
    // Also of a call that nobody waits for any more: functions of the script that are in there are released when they are collected.
    const args = order.kind === "call" ? (decodeWire(order.args, this.#target) as unknown[]) : [];
    if (run === undefined || run.isStopped) return undefined;
    if (order.kind === "progress") return run.tick(order.operations, true);
    return this.#options.functions.callHost(this.#references.get(order.callee) as HostFunction, args, run);
  }

  #onEnd(end: ThreadError): void {
    this.#end = end;
    for (const { reject } of this.#pending.values()) reject(end);
    this.#pending.clear();
  }
}

function startThread(language: string, data: ThreadData): StartedThread {
  try {
    return startPlatformThread({ entry: SCRIPT_THREAD_ENTRY, name: `scripts of ${language}`, data });
  } catch (cause) {
    throw new TypeError(`Cannot run ${language} on a thread: what it was given cannot be cloned`, { cause });
  }
}

function closed(): ThreadError {
  return new ThreadError("closed", "The thread of the script engine was closed");
}

function stuck(): ThreadError {
  return new ThreadError("unresponsive", `The script did not stop within ${GRACE_MS} ms, so its thread was ended`);
}
