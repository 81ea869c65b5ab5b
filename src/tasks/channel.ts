/** Messages from tasks to tasks. */

import type { Soon } from "../coroutine/pending.ts";
import type { WaitReason } from "./participant.ts";
import { Ring } from "./ring.ts";
import { SelectCase } from "./select-case.ts";
import { promiseOf, readySoon } from "./soon.ts";
import { requireAllowed } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";
import { WaitQueue } from "./wait-queue.ts";
import type { Joining } from "./wait-queue.ts";

export interface ChannelOptions {
  /** How many values it keeps: 0 (when left out) hands each from sender to receiver, `Infinity` never lets a sender wait. */
  readonly capacity?: number | undefined;
  /** For messages and `dump()`. */
  readonly name?: string | undefined;
}

/** The channel is closed: there is nothing left to receive, or a value cannot be sent any more. */
export class ChannelClosedError extends Error {
  override readonly name = "ChannelClosedError";
  /** What could not be sent. */
  readonly value: unknown;

  constructor(message: string, value?: unknown) {
    super(message);
    this.value = value;
  }
}

/**
 * A queue between tasks. Whoever waits is served first come first served; the values of one sender arrive in its order, each once.
 *
 * - Nobody waits if it can be helped: `send()` when there is room or a receiver, `receive()` when there is a value or a sender.
 * - After `close()` what it keeps can still be received. Those who wait to send are refused with their value, those who wait to receive
 *   are told the end; `for await` just ends.
 *
 * ```ts
 * const jobs = new Channel<string>({ capacity: 16 });
 * spawn(async () => {
 *   for await (const job of jobs) console.log(job);
 * });
 * await jobs.send("first");
 * jobs.close();
 * ```
 */
export class Channel<Value> implements AsyncIterable<Value> {
  readonly capacity: number;
  readonly name: string;
  readonly #values = new Ring<Value>();
  readonly #takeBack = (value: Value): void => this.#putBack(value);
  readonly #receivers = new WaitQueue<Value>({ takeBack: this.#takeBack });
  readonly #senders = new WaitQueue<void, Value>();
  readonly #toSend: WaitReason;
  readonly #toReceive: WaitReason;
  #closed = false;

  constructor(options: ChannelOptions = {}) {
    // A number has no capacity: who gives one would have a channel that keeps nothing.
    if (typeof options !== "object") {
      throw new TypeError(`Cannot make channel: the options are ${typeof options}, expected an object: { capacity }`);
    }
    const { capacity = 0, name = "" } = options;
    if (!(capacity >= 0) || (capacity !== Infinity && !Number.isInteger(capacity))) {
      throw new RangeError(`Cannot make channel: capacity is ${capacity}, expected a whole number from 0, or Infinity`);
    }
    this.capacity = capacity;
    this.name = name;
    this.#toSend = { isExternal: false, describe: () => this.#say("room in"), holders: () => undefined };
    this.#toReceive = { isExternal: false, describe: () => this.#say("a value from"), holders: () => undefined };
  }

  /** How many values it keeps now. */
  get length(): number {
    return this.#values.length;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Sends `value` when there is room, or a receiver.
   *
   * Rejects with a {@link ChannelClosedError} that has the value when the channel is closed, also meanwhile.
   */
  send(value: Value, options?: WaitOptions): Promise<void> {
    try {
      return promiseOf(this.sendSoon(value, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * {@link Channel.send} for host functions of guests: where nobody has to wait the guest goes on at once.
   *
   * @throws {ChannelClosedError} when the channel is closed already
   */
  sendSoon(value: Value, options?: WaitOptions): Soon<void> {
    requireAllowed(options);
    if (this.#closed) throw this.#closedTo(value);
    return this.#put(value) ? readySoon(undefined) : this.#senders.wait(this.#toSend, options, value);
  }

  /** Sends `value` if nobody has to wait for that; says whether it was sent. */
  trySend(value: Value): boolean {
    return !this.#closed && this.#put(value);
  }

  /** Waits for a value. Rejects with a {@link ChannelClosedError} when there will be none. */
  receive(options?: WaitOptions): Promise<Value> {
    try {
      return promiseOf(this.receiveSoon(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * {@link Channel.receive} for host functions of guests: where a value is there the guest goes on at once.
   *
   * @throws {ChannelClosedError} when there will be none
   */
  receiveSoon(options?: WaitOptions): Soon<Value> {
    requireAllowed(options);
    if (this.#hasValue) return readySoon(this.#take(), this.#takeBack);
    if (this.#closed) throw this.#ended();
    return this.#receivers.wait(this.#toReceive, options, undefined);
  }

  /** A value if there is one now. */
  tryReceive(): { readonly value: Value } | undefined {
    return this.#hasValue ? { value: this.#take() } : undefined;
  }

  /** Lets nothing more in. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (let sender = this.#senders.first; sender !== undefined; sender = this.#senders.first) {
      sender.throw(this.#closedTo(sender.demand));
    }
    for (let receiver = this.#receivers.first; receiver !== undefined; receiver = this.#receivers.first) {
      receiver.throw(this.#ended());
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** For `select()`: sends `value`. */
  sending(value: Value): SelectCase<void> {
    return new ChannelCase<void>({
      reason: this.#toSend,
      poll: () => {
        if (this.#closed) throw this.#closedTo(value);
        return this.#put(value) ? { value: undefined } : undefined;
      },
      join: ({ wait, asResult }) => this.#senders.add({ wait, asResult, demand: value }),
    });
  }

  /** For `select()`: receives a value. */
  receiving(): SelectCase<Value> {
    return new ChannelCase<Value>({
      reason: this.#toReceive,
      poll: () => {
        const taken = this.tryReceive();
        if (taken === undefined && this.#closed) throw this.#ended();
        return taken;
      },
      join: (joining) => this.#receivers.add(joining),
      giveBack: this.#takeBack,
    });
  }

  /** Receives until it is closed and empty. Leaving the loop does not close it. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Value> {
    return {
      next: () => this.#next(),
      return: () => Promise.resolve({ done: true, value: undefined }),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async #next(): Promise<IteratorResult<Value, undefined>> {
    try {
      return { done: false, value: await this.receive() };
    } catch (error) {
      if (this.#closed && error instanceof ChannelClosedError) return { done: true, value: undefined };
      throw error;
    }
  }

  get #hasValue(): boolean {
    return this.#values.length > 0 || this.#senders.first !== undefined;
  }

  #put(value: Value): boolean {
    const receiver = this.#receivers.first;
    if (receiver !== undefined) {
      receiver.succeed(value);
      return true;
    }
    if (this.#values.length >= this.capacity) return false;
    this.#values.push(value);
    return true;
  }

  /** Whoever it was given to has been ended before it was told. */
  #putBack(value: Value): void {
    const receiver = this.#receivers.first;
    if (receiver === undefined) this.#values.unshift(value);
    else receiver.succeed(value);
  }

  /** Only when {@link Channel.#hasValue}. */
  #take(): Value {
    const sender = this.#senders.first;
    if (sender !== undefined) {
      // It is the last in line: behind what is kept.
      this.#values.push(sender.demand);
      sender.succeed();
    }
    return this.#values.shift();
  }

  #say(what: string): string {
    return `${what} channel${this.name && ` ${this.name}`}`;
  }

  #closedTo(value: Value): ChannelClosedError {
    return new ChannelClosedError(`Cannot send: ${this.#say("the")} is closed`, value);
  }

  #ended(): ChannelClosedError {
    return new ChannelClosedError(`Cannot receive: ${this.#say("the")} is closed and empty`);
  }
}

interface Operation<Value> {
  readonly reason: WaitReason;
  readonly poll: () => { readonly value: Value } | undefined;
  readonly join: (joining: Joining<Value, undefined>) => void;
  readonly giveBack?: (value: Value) => void;
}

class ChannelCase<Value> extends SelectCase<Value> {
  readonly #operation: Operation<Value>;

  constructor(operation: Operation<Value>) {
    super();
    this.#operation = operation;
  }

  describe(): string {
    return this.#operation.reason.describe();
  }

  poll(): { readonly value: Value } | undefined {
    return this.#operation.poll();
  }

  join(joining: Joining<Value, undefined>): void {
    this.#operation.join(joining);
  }

  override giveBack(value: Value): void {
    this.#operation.giveBack?.(value);
  }
}
