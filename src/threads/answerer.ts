/** Answers calls of a thread that is blocked in them. This one goes on with its event loop. */

import { runInNextTurn } from "../platform/event-loop.ts";
import { Abandonable } from "./abandonable.ts";
import { KIND } from "./line.ts";
import type { Line } from "./line.ts";
import type { Message } from "./mailbox.ts";
import { notCloneable, passable } from "./passable-error.ts";
import { Spinning } from "./spinning.ts";

/** A call of the other thread that has not been answered. */
export interface IncomingCall {
  readonly id: number;
  readonly name: number;
  readonly owner: number;
  /** Aborts when nobody waits for its answer any more. */
  readonly signal: AbortSignal;
}

export interface AnswererOptions {
  /** Returns or throws the answer, or returns a promise of it. */
  readonly handle: (call: IncomingCall, args: readonly unknown[]) => unknown;
  /** What is called, for messages. */
  readonly describe: (name: number) => string;
  /** Is given what answers a call of this thread, if it makes any. */
  readonly onAnswer?: (answer: Message) => void;
}

/** How long an answer waits for room before the event loop turns. There is room as soon as the other thread has looked. */
const RETRY_MS = 1;
/** How long calls that come one upon the other are answered before the event loop turns: it costs one of them some 25 us more. */
const STAY_MS = 10;
/** After such a pause it has turned, for all that is known. */
const PAUSE_MS = 1;

/**
 * Without its arguments: code that runs on its behalf keeps it, with all promises that are made meanwhile, and that would let strings and bytes
 * of megabytes outlive the call, into the part of the heap where collecting them takes long.
 */
class OpenCall extends Abandonable implements IncomingCall {
  readonly id: number;
  readonly name: number;
  readonly owner: number;
  readonly depth: number;

  constructor({ id, name, owner, depth }: Message) {
    super();
    this.id = id;
    this.name = name;
    this.owner = owner;
    this.depth = depth;
  }
}

export class Answerer {
  readonly #line: Line;
  readonly #options: AnswererOptions;
  readonly #spinning = new Spinning();
  /** Calls that the other thread is blocked in, each made from inside the one before. */
  readonly #open: OpenCall[] = [];
  readonly #isThere: () => boolean;
  #isLooking = false;
  /** Until when it answers what comes before the event loop turns, by `performance.now()`, and whether it waits for that. */
  #stays = Infinity;
  #answeredAt = -Infinity;
  #isTurning = false;

  constructor(line: Line, options: AnswererOptions) {
    this.#line = line;
    this.#options = options;
    this.#isThere = () => line.incoming.isMessageComing;
  }

  /** What the other thread is blocked in. */
  get innermost(): IncomingCall | undefined {
    return this.#open.at(-1);
  }

  /** Whether the other thread still waits for the answer. */
  isOpen(callId: number): boolean {
    return this.#open.some(({ id }) => id === callId);
  }

  /** Handles what has come. To be called from the event loop when the other thread rings. */
  look(): void {
    const now = performance.now();
    // Whoever is rung again at once may be so without a turn of the event loop.
    if (now > this.#answeredAt + PAUSE_MS) this.#stays = now + STAY_MS;
    this.#look();
  }

  #look(): void {
    // Whoever answers a call at once is called from the loop below.
    if (this.#isLooking || this.#isTurning) return;
    this.#isLooking = true;
    try {
      while (!this.#isTurning) {
        const message = this.#take();
        if (message === undefined) break;
        if (message.kind === KIND.call) this.#begin(message);
        else this.#options.onAnswer?.(message);
      }
    } finally {
      this.#isLooking = false;
    }
  }

  /** Ends a call from outside: throws `error` where the other thread is blocked in it, if it still is. */
  interrupt(call: IncomingCall, error: unknown): void {
    const open = this.#open.find(({ id }) => id === call.id);
    if (open !== undefined) this.#answer(open, KIND.threw, error);
  }

  #take(): Message | undefined {
    const { incoming } = this.#line;
    let message = incoming.take();
    if (message === undefined) {
      // A thread that has just been answered often calls again.
      if (this.#open.length === 0) {
        incoming.setWatched(true);
        this.#spinning.until(this.#isThere);
      }
      incoming.setWatched(false);
      message = incoming.take();
    }
    if (message !== undefined) this.#spinning.arrived();
    return message;
  }

  #begin(message: Message): void {
    // What it was blocked in before, at this depth and deeper, it has given up.
    while ((this.#open.at(-1)?.depth ?? -1) >= message.depth) this.#open.pop()?.abandon();
    const call = new OpenCall(message);
    this.#open.push(call);
    let answer: unknown;
    try {
      answer = this.#options.handle(call, message.value as unknown[]); // what BlockingCaller sends
    } catch (error) {
      this.#answer(call, KIND.threw, error);
      return;
    }
    if (!isThenable(answer)) this.#answer(call, KIND.returned, answer);
    else {
      Promise.resolve(answer).then(
        (value) => this.#answer(call, KIND.returned, value),
        (error: unknown) => this.#answer(call, KIND.threw, error),
      );
    }
  }

  #answer(call: OpenCall, kind: number, value: unknown): void {
    const position = this.#open.indexOf(call);
    if (position < 0) return;
    this.#open.splice(position, 1);
    // Before the other thread can call again: whoever answers looks for the next call, so it need not ring.
    this.#line.incoming.setWatched(true);
    this.#spinning.start();
    this.#post(call, kind, value);
    this.#answeredAt = performance.now();
    if (this.#answeredAt < this.#stays) this.#look();
    else this.#turn();
  }

  /** Node hands on as many messages as come, up to a thousand: to be rung again is not enough for its event loop to turn. */
  #turn(): void {
    if (this.#isTurning) return;
    this.#isTurning = true;
    runInNextTurn(() => {
      this.#isTurning = false;
      this.#stays = performance.now() + STAY_MS;
      this.#look();
    });
  }

  #post(call: OpenCall, kind: number, value: unknown): void {
    const header = { kind, id: call.id, name: call.name, depth: call.depth, owner: call.owner };
    const what = kind === KIND.threw ? passable(value) : value;
    try {
      const { outgoing } = this.#line;
      if (!outgoing.isWriting && outgoing.post(header, what)) return;
    } catch (error) {
      this.#refuse(call, error);
      return;
    }
    // Something is there that nobody waits for; the other thread takes it first.
    setTimeout(() => this.#post(call, kind, value), RETRY_MS);
  }

  /** The answer cannot be cloned. */
  #refuse(call: OpenCall, cause: unknown): void {
    this.#post(call, KIND.threw, notCloneable(`what ${this.#options.describe(call.name)} has answered`, cause));
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
  return isObject && typeof (value as { then?: unknown }).then === "function";
}
