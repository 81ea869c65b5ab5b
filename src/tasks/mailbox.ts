/** The one inbox of a task. */

import { ChannelClosedError } from "./channel.ts";
import type { WaitReason } from "./participant.ts";
import { ready } from "./scheduler.ts";
import { SelectCase } from "./select-case.ts";
import { checkMs, failAfter } from "./sleep.ts";
import { Wait, requireAllowed } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";
import { WaitQueue } from "./wait-queue.ts";
import type { Joining, Waiter } from "./wait-queue.ts";

export interface MailboxOptions {
  /** For messages and `dump()`. */
  readonly name?: string | undefined;
}

export interface MailboxReceiveOptions<Message, Wanted extends Message = Message> extends WaitOptions {
  /** Which messages are wanted: others stay, in their order. All, when left out. */
  readonly matches?: ((message: Message) => message is Wanted) | ((message: Message) => boolean) | undefined;
  /** Rejects with a `TimeoutError` after that many milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/** Messages for one task, of which it may take those first that it can use now. Sending never waits. */
export class Mailbox<Message = unknown> {
  readonly name: string;
  readonly #messages = new Set<{ readonly message: Message }>();
  readonly #receivers = new WaitQueue<Message, (message: Message) => boolean>();
  readonly #reason: WaitReason;
  #closed = false;

  constructor({ name = "" }: MailboxOptions = {}) {
    this.name = name;
    this.#reason = {
      isExternal: false,
      describe: () => `a message in mailbox${name && ` ${name}`}`,
      holders: () => undefined,
    };
  }

  /** How many messages are there. */
  get length(): number {
    return this.#messages.size;
  }

  /** Whether its task has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Puts it into the mailbox, or gives it to the first who waits for such a message. Says whether there is still anybody to read it. */
  send(message: Message): boolean {
    if (this.#closed) return false;
    const receiver = this.#receiverOf(message);
    if (receiver === undefined) this.#messages.add({ message });
    else receiver.succeed(message);
    return true;
  }

  /** Waits for the first message that matches. Rejects with a {@link ChannelClosedError} when its task has ended: there will be none. */
  receive<Wanted extends Message = Message>(options?: MailboxReceiveOptions<Message, Wanted>): Promise<Wanted> {
    const { matches = all, timeoutMs } = options ?? {};
    if (timeoutMs !== undefined) checkMs(timeoutMs);
    try {
      requireAllowed(options);
      const taken = this.tryReceive<Wanted>(matches);
      if (taken !== undefined) return ready(taken.message);
      if (this.#closed) throw this.#ended();
    } catch (error) {
      return Promise.reject(error);
    }
    const wait = new Wait<Wanted>(this.#reason, options);
    this.#receivers.add({ wait, demand: matches });
    if (timeoutMs !== undefined) {
      failAfter(wait, timeoutMs, new DOMException(`No message came in ${timeoutMs} ms`, "TimeoutError"));
    }
    return wait.begin().promise;
  }

  /** For `select()`: receives the first message that matches. If another case is first no message has been taken. */
  receiving<Wanted extends Message = Message>({
    matches = all,
  }: Pick<MailboxReceiveOptions<Message, Wanted>, "matches"> = {}): SelectCase<Wanted> {
    return new MailboxCase<Wanted>({
      reason: this.#reason,
      poll: () => {
        const taken = this.tryReceive<Wanted>(matches);
        if (taken === undefined && this.#closed) throw this.#ended();
        return taken;
      },
      // It gets what matches.
      join: (joining) => this.#receivers.add({ ...(joining as Joining<Message, undefined>), demand: matches }),
      giveBack: (message) => this.#putBack(message),
    });
  }

  /** The first message that matches, if there is one now. */
  tryReceive<Wanted extends Message = Message>(
    matches: ((message: Message) => message is Wanted) | ((message: Message) => boolean) = all,
  ): { readonly message: Wanted } | undefined {
    for (const entry of this.#messages) {
      if (!matches(entry.message)) continue;
      this.#messages.delete(entry);
      return entry as { readonly message: Wanted }; // it matches
    }
    return undefined;
  }

  /** @internal Its task has ended: nobody will read what comes. */
  close(): void {
    this.#closed = true;
    this.#messages.clear();
    for (let receiver = this.#receivers.first; receiver !== undefined; receiver = this.#receivers.first) {
      receiver.throw(this.#ended());
    }
  }

  /** The first who wants it. Of one whose `matches` throws it is the error, not that of whoever sends. */
  #receiverOf(message: Message): Waiter<Message, (message: Message) => boolean> | undefined {
    let next: Waiter<Message, (message: Message) => boolean> | undefined;
    for (let receiver = this.#receivers.first; receiver !== undefined; receiver = next) {
      ({ next } = receiver);
      try {
        if (receiver.demand(message)) return receiver;
      } catch (error) {
        receiver.throw(error);
      }
    }
    return undefined;
  }

  /** Whoever it was given to has been ended before it was told: it came before those that are there. */
  #putBack(message: Message): void {
    if (this.#closed) return;
    const receiver = this.#receiverOf(message);
    if (receiver !== undefined) {
      receiver.succeed(message);
      return;
    }
    const later = [...this.#messages];
    this.#messages.clear();
    for (const entry of [{ message }, ...later]) this.#messages.add(entry);
  }

  #ended(): ChannelClosedError {
    return new ChannelClosedError(`Cannot receive: the task of mailbox ${this.name} has ended`);
  }
}

interface Receiving<Message> {
  readonly reason: WaitReason;
  readonly poll: () => { readonly message: Message } | undefined;
  readonly join: (joining: Joining<Message, undefined>) => void;
  readonly giveBack: (message: Message) => void;
}

class MailboxCase<Message> extends SelectCase<Message> {
  readonly #receiving: Receiving<Message>;

  constructor(receiving: Receiving<Message>) {
    super();
    this.#receiving = receiving;
  }

  describe(): string {
    return this.#receiving.reason.describe();
  }

  poll(): { readonly value: Message } | undefined {
    const taken = this.#receiving.poll();
    return taken && { value: taken.message };
  }

  override giveBack(message: Message): void {
    this.#receiving.giveBack(message);
  }

  join(joining: Joining<Message, undefined>): void {
    this.#receiving.join(joining);
  }
}

function all(): boolean {
  return true;
}
