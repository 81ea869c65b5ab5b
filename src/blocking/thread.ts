/** A module on its own thread, for the thread that has started it. */

import { Timer } from "../platform/timer.ts";
import { Answerer } from "../threads/answerer.ts";
import { startPlatformThread } from "../threads/choose-threads.ts";
import { KIND, makeLineMemory, openLine } from "../threads/line.ts";
import type { Line } from "../threads/line.ts";
import type { Message } from "../threads/mailbox.ts";
import { packToMove, unpackValue } from "../threads/packed-value.ts";
import { notCloneable } from "../threads/passable-error.ts";
import { takeTransfers } from "../threads/transfer.ts";
import { ThreadError } from "../threads/thread-end.ts";
import type { StartedThread } from "../threads/thread-platform.ts";
import { THREAD_ENTRY } from "./entries.ts";
import { functionsOf } from "./host.ts";
import type { AnswerOf, ArgumentsOf, ExportKeys, Remote } from "./inference.ts";
import type { ThreadData, ToParent, ToThread } from "./messages.ts";
import { serve, servedCall } from "./served-call.ts";

export interface ThreadOptions {
  /** The functions that the thread may call, blocking, as `host()`; also in plain objects within it. They may be asynchronous. */
  readonly host?: object | undefined;
  /** For debuggers. */
  readonly name?: string | undefined;
  /** Milliseconds that the thread has to react when it is interrupted or closed; then it is ended. 1000 when left out. */
  readonly graceMs?: number | undefined;
  /** For the platform's own constructor, for instance `resourceLimits` and `env` of Node's `Worker`. */
  readonly workerOptions?: object | undefined;
}

export interface ThreadCallOptions {
  /** Milliseconds, after which the call rejects with a `TimeoutError`, and the thread is interrupted if it is busy with it. */
  readonly timeoutMs?: number | undefined;
  /** Rejects with its reason when it aborts, and interrupts the thread in the same way. */
  readonly signal?: AbortSignal | undefined;
}

const GRACE_MS = 1000;

interface PendingCall {
  readonly name: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Starts a thread that runs `module`, and waits until it has loaded.
 *
 * @param module its URL: as a rule `new URL("./module.js", import.meta.url)`
 * @throws {ThreadError} when the thread ends before; and what the module throws
 */
export async function startThread<Module extends object = Record<string, (...args: never[]) => unknown>>(
  module: URL | string,
  options: ThreadOptions = {},
): Promise<Thread<Module>> {
  const thread = new Thread<Module>(module, options);
  try {
    await thread.loaded;
  } catch (error) {
    await thread.terminate();
    throw error;
  }
  return thread;
}

/** Made by {@link startThread}. It keeps the process alive while a call is pending. */
export class Thread<Module extends object> {
  /** The functions that the module exports; each returns a promise. */
  readonly exports: Remote<Module>;
  /** @internal Fulfils when the module has been loaded. */
  readonly loaded: Promise<void>;
  readonly #started: StartedThread;
  readonly #line: Line;
  readonly #answerer: Answerer;
  readonly #graceMs: number;
  readonly #pending = new Map<number, PendingCall>();
  #lastId = 0;
  #names: readonly string[] = [];
  #resolveLoaded: () => void = () => {};
  #rejectLoaded: (error: unknown) => void = () => {};
  /** Calls when the thread has come to its event loop. */
  readonly #pongs: (() => void)[] = [];

  /** @internal */
  constructor(module: URL | string, { host = {}, name, graceMs = GRACE_MS, workerOptions }: ThreadOptions) {
    const functions = functionsOf(host);
    const data: ThreadData = {
      module: String(module),
      line: makeLineMemory(),
      hostNames: functions.map((each) => each.name),
    };
    this.#graceMs = graceMs;
    this.#started = startPlatformThread({
      entry: THREAD_ENTRY,
      name: name ?? data.module,
      data,
      options: workerOptions,
    });
    this.#line = openLine(data.line, "parent", {
      port: this.#started.port,
      ring: () => this.#send({ type: "ring" }),
      whyEnded: () => this.#started.whyEnded(true),
    });
    this.#answerer = new Answerer(this.#line, {
      describe: (number) => `host.${functions[number]?.name ?? String(number)}`,
      handle: (call, args) => servedCall.run(serve(call.id, call, this), () => functions[call.name]?.call([...args])),
      onAnswer: (answer) => this.#onNestedAnswer(answer),
    });
    this.loaded = new Promise((resolve, reject) => {
      this.#resolveLoaded = resolve;
      this.#rejectLoaded = reject;
    });
    this.#started.onMessage((message) => this.#onMessage(message as ToParent)); // the thread sends nothing else
    void this.#started.ended.then((end) => this.#onEnd(end));
    this.exports = this.#makeExports();
  }

  /** Fulfils when the thread has ended, with how. */
  get ended(): Promise<ThreadError> {
    return this.#started.ended;
  }

  /**
   * Calls a function that the module exports.
   *
   * From inside a host function that this thread has called and is blocked in, the call runs on top of it, and has to answer at once.
   *
   * @throws what the function throws; {@link ThreadError} when the thread ends before
   */
  call<Key extends ExportKeys<Module> & string>(
    name: Key,
    args: ArgumentsOf<Module, Key>,
    { timeoutMs, signal }: ThreadCallOptions = {},
  ): Promise<AnswerOf<Module, Key>> {
    if (!Array.isArray(args)) {
      return Promise.reject(
        new TypeError(`Cannot call ${name}: expected an array of arguments, received ${typeof args}`),
      );
    }
    const ended = this.#started.whyEnded(false);
    if (ended !== undefined || signal?.aborted === true) {
      // Nor are they moved with the next call.
      takeTransfers(args, true);
      return Promise.reject(ended === undefined ? signal!.reason : ended.inCall(name));
    }
    const id = (this.#lastId = (this.#lastId + 1) | 0);
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { name, resolve, reject });
      if (this.#pending.size === 1) this.#started.ref();
      this.#post(id, name, args);
    });
    const limited =
      timeoutMs === undefined && signal === undefined ? answer : this.#limit(id, answer, { timeoutMs, signal });
    return limited as Promise<AnswerOf<Module, Key>>; // what the module's function returns: the type is the user's word
  }

  /**
   * Throws `reason` where the thread is blocked in a host function. A thread that does not come to its event loop within `graceMs` is ended.
   */
  async interrupt(reason: unknown = new DOMException("The thread was interrupted", "AbortError")): Promise<void> {
    const blocked = this.#answerer.innermost;
    if (blocked !== undefined) this.#answerer.interrupt(blocked, reason);
    await this.#requireReaction(() => false);
  }

  /** Ends the thread: it is interrupted if it is blocked, and ended when it has not ended by itself after `graceMs`. */
  async close(): Promise<void> {
    this.#send({ type: "close" });
    const blocked = this.#answerer.innermost;
    if (blocked !== undefined)
      this.#answerer.interrupt(blocked, new ThreadError("closed", "The thread is being closed"));
    const timer = setTimeout(() => void this.#started.terminate(closed()), this.#graceMs);
    await this.#started.ended;
    clearTimeout(timer);
  }

  /** Ends the thread at once, wherever it is. */
  async terminate(): Promise<void> {
    await this.#started.terminate(new ThreadError("terminated", "The thread was terminated"));
    await this.#started.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #makeExports(): Remote<Module> {
    // Whatever the module has: its types are the user's word, and the thread checks the name.
    const call = (name: string, args: unknown[]): Promise<unknown> => this.call(name as never, args as never);
    const exports: object = new Proxy(
      {},
      {
        // A promise would look for `then`.
        get: (_, name) =>
          typeof name === "string" && name !== "then" ? (...args: unknown[]) => call(name, args) : undefined,
      },
    );
    return exports as Remote<Module>; // has whatever name is asked for; the thread says so when the module has it not
  }

  #send(message: ToThread, transfer?: readonly Transferable[]): void {
    this.#started.post(message, transfer);
  }

  #post(id: number, name: string, args: readonly unknown[]): void {
    const outer = servedCall.get();
    const isNested = outer?.caller === this && this.#answerer.isOpen(outer.id);
    try {
      if (isNested) this.#postNested(id, name, args);
      else this.#sendCall(id, name, args);
    } catch (error) {
      // Node 20 has a TypeError for what has to be moved, with a code.
      const isOurs = error instanceof TypeError && !("code" in error);
      this.#settle(id)?.reject(isOurs ? error : notCloneable(`the arguments of ${name}`, error));
    }
  }

  #sendCall(id: number, name: string, args: readonly unknown[]): void {
    const { packed, transfer } = packToMove([...args], true);
    this.#send({ type: "call", id, name, args: packed }, transfer);
  }

  /** The thread is blocked, and takes it at once. */
  #postNested(id: number, name: string, args: readonly unknown[]): void {
    const number = this.#names.indexOf(name);
    if (number < 0) throw new TypeError(`Cannot call ${name}: the module exports ${this.#names.join(", ")}`);
    const header = { kind: KIND.call, id, name: number, depth: 0, owner: 0 };
    const { outgoing } = this.#line;
    if (outgoing.isWriting || !outgoing.post(header, [...args], true)) setTimeout(() => this.#post(id, name, args), 1);
  }

  #onNestedAnswer({ kind, id, value }: Message): void {
    const call = this.#settle(id);
    if (kind === KIND.returned) call?.resolve(value);
    else call?.reject(value);
  }

  /** The call with that number, which is over. */
  #settle(id: number): PendingCall | undefined {
    const call = this.#pending.get(id);
    if (call === undefined) return undefined;
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#started.unref();
    return call;
  }

  #limit(id: number, answer: Promise<unknown>, { timeoutMs, signal }: ThreadCallOptions): Promise<unknown> {
    const { name } = this.#pending.get(id) ?? { name: "" };
    const giveUp = (reason: unknown): void => {
      const call = this.#settle(id);
      if (call === undefined) return;
      call.reject(reason);
      this.#abandon(id, reason);
    };
    const onAbort = (): void => giveUp(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    const onTimeout = (): void =>
      giveUp(new DOMException(`${name} has not answered within ${timeoutMs} ms`, "TimeoutError"));
    const timer = timeoutMs === undefined ? undefined : new Timer(timeoutMs, onTimeout);
    return answer.finally(() => {
      signal?.removeEventListener("abort", onAbort);
      timer?.clear();
    });
  }

  /** Nobody waits for that call any more: interrupts the thread if it is blocked on its behalf, and ends it if it does not come to its event loop. */
  #abandon(id: number, reason: unknown): void {
    const blocked = this.#answerer.innermost;
    if (blocked?.owner === id) this.#answerer.interrupt(blocked, reason);
    this.#send({ type: "abandon", id });
    void this.#requireReaction(() => this.#isBlockedForAnother(id));
  }

  /** What it does for the call `id` may not take long any more, not even where it waits for another host function. */
  #isBlockedForAnother(id: number): boolean {
    const { innermost } = this.#answerer;
    return innermost !== undefined && innermost.owner !== id;
  }

  /** Ends a thread that does not come to its event loop in time, while it is not `excused`. */
  async #requireReaction(excused: () => boolean): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const reaction = new Promise<"reacted">((resolve) => this.#pongs.push(() => resolve("reacted")));
    this.#send({ type: "ping" });
    let outcome: unknown;
    do {
      const silence = new Promise<"silent">((resolve) => (timer = setTimeout(() => resolve("silent"), this.#graceMs)));
      outcome = await Promise.race([reaction, silence, this.#started.ended]);
      clearTimeout(timer);
    } while (outcome === "silent" && excused());
    if (outcome !== "silent") return;
    const message = `The thread was interrupted, and has not reacted within ${this.#graceMs} ms`;
    await this.#started.terminate(new ThreadError("unresponsive", message));
  }

  #onMessage(message: ToParent): void {
    switch (message.type) {
      case "ring":
        this.#answerer.look();
        break;
      case "pong":
        this.#pongs.shift()?.();
        break;
      case "loaded":
        this.#names = message.names;
        this.#resolveLoaded();
        if (this.#pending.size === 0) this.#started.unref();
        break;
      case "failed":
        this.#rejectLoaded(unpackValue(message.error));
        break;
      case "returned":
        this.#settle(message.id)?.resolve(unpackValue(message.value));
        break;
      case "threw":
        this.#settle(message.id)?.reject(unpackValue(message.value));
    }
  }

  #onEnd(end: ThreadError): void {
    this.#rejectLoaded(end);
    for (const [id, { name }] of this.#pending) this.#settle(id)?.reject(end.inCall(name));
    for (const pong of this.#pongs.splice(0)) pong();
  }
}

function closed(): ThreadError {
  return new ThreadError("closed", "The thread was closed");
}
