/** Calls functions of another thread, and blocks this one until they have answered. */

import { BlockingReader } from "./blocking-reader.ts";
import { KIND } from "./line.ts";
import type { Line } from "./line.ts";
import type { Header, Message } from "./mailbox.ts";
import { notCloneable, passable } from "./passable-error.ts";
import { ThreadError } from "./thread-end.ts";

/** What a call that blocks may be limited by. */
export interface BlockingCallOptions {
  /** Milliseconds, after which it throws a `TimeoutError`. */
  readonly timeoutMs?: number | undefined;
  /** Looked at before the call, and whenever this thread is woken: nothing that runs in a blocked thread can abort it. */
  readonly signal?: AbortSignal | undefined;
}

export interface BlockingCallerOptions {
  /** What is called, for messages. */
  readonly describe: (name: number) => string;
  /** Answers a call that comes while this thread is blocked. */
  readonly answer: (call: Message) => void;
  /** On whose behalf this thread calls. */
  readonly owner?: () => number;
}

interface Limits extends BlockingCallOptions {
  /** By `performance.now()`. */
  readonly deadline: number;
}

/** How often somebody looks whether there is room for a message. It is rare that there is not. */
const ROOM_CHECK_MS = 0.1;
const LOOKS_PER_LIFE_CHECK = 1000;

export class BlockingCaller {
  readonly #line: Line;
  readonly #options: BlockingCallerOptions;
  readonly #reader: BlockingReader;
  #lastId = 0;
  /** Calls that this thread is blocked in, each made from inside the one before. */
  readonly #open: number[] = [];
  /** Answers to those that are not the innermost. */
  readonly #early = new Map<number, Message>();
  #lastSent = 0;

  constructor(line: Line, options: BlockingCallerOptions) {
    this.#line = line;
    this.#options = options;
    this.#reader = new BlockingReader(line);
  }

  /** Whether this thread is blocked. */
  get isBlocked(): boolean {
    return this.#open.length > 0;
  }

  /** @throws what the function has thrown, or why it cannot answer */
  call(name: number, args: readonly unknown[], { timeoutMs, signal }: BlockingCallOptions = {}): unknown {
    signal?.throwIfAborted();
    const deadline = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
    const id = (this.#lastId = (this.#lastId + 1) | 0);
    this.#post(id, name, args);
    this.#open.push(id);
    try {
      return this.#awaitAnswer(id, name, { deadline, timeoutMs, signal });
    } finally {
      this.#open.pop();
      this.#early.delete(id);
    }
  }

  #post(id: number, name: number, args: readonly unknown[]): void {
    // Something that came when nobody was there to take it.
    const before = this.#line.incoming.take();
    if (before !== undefined) this.#sort(before);
    const header = { kind: KIND.call, id, name, depth: this.#open.length, owner: this.#options.owner?.() ?? 0 };
    try {
      this.#send(header, args, true);
    } catch (error) {
      if (error instanceof ThreadError) throw error.inCall(this.#options.describe(name));
      throw notCloneable(`the arguments of ${this.#options.describe(name)}`, error);
    }
  }

  /** Answers a call that {@link BlockingCallerOptions.answer} was given. */
  answer({ id, name, depth, owner }: Message, kind: number, value: unknown): void {
    this.#send({ kind, id, name, depth, owner }, kind === KIND.threw ? passable(value) : value);
  }

  #send(header: Header, value: unknown, isList = false): void {
    const { outgoing } = this.#line;
    // A call that is still there was given up before anybody has got round to it. An answer is waited for.
    if (this.#lastSent === KIND.call) outgoing.withdraw();
    for (let looks = 1; !outgoing.post(header, value, isList); looks++) {
      // One that has ended while it read will never make room.
      if (looks % LOOKS_PER_LIFE_CHECK === 0) this.#requireLife();
      sleep(ROOM_CHECK_MS);
    }
    this.#lastSent = header.kind;
  }

  #requireLife(): void {
    const ended = this.#line.whyEnded();
    if (ended !== undefined) throw ended;
  }

  /** Answers a call; keeps an answer for a call that this thread is blocked in, and forgets one for a call that it has given up. */
  #sort(message: Message): void {
    if (message.kind === KIND.call) this.#options.answer(message);
    else if (this.#open.includes(message.id)) this.#early.set(message.id, message);
  }

  #awaitAnswer(id: number, name: number, limits: Limits): unknown {
    for (;;) {
      const answer = this.#early.get(id);
      if (answer?.kind === KIND.returned) return answer.value;
      if (answer !== undefined) throw answer.value;
      this.#sort(this.#nextMessage(name, limits));
      limits.signal?.throwIfAborted();
    }
  }

  /** Blocks. */
  #nextMessage(name: number, { deadline, timeoutMs }: Limits): Message {
    let message: Message | undefined;
    try {
      message = this.#reader.next(deadline);
    } catch (error) {
      throw error instanceof ThreadError ? error.inCall(this.#options.describe(name)) : error;
    }
    if (message === undefined) throw this.#timeOut(name, timeoutMs);
    return message;
  }

  #timeOut(name: number, timeoutMs: number | undefined): Error {
    this.#line.outgoing.withdraw();
    const what = this.#options.describe(name);
    return new DOMException(`${what} has not answered within ${String(timeoutMs)} ms`, "TimeoutError");
  }
}

/** Blocks the thread. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
