/** A thread that runs bodies of coroutines, one at a time, for the thread that resumes them; and those that have nothing to do. */

import { BlockingReader } from "./blocking-reader.ts";
import { startPlatformThread } from "./choose-threads.ts";
import { KIND, makeLineMemory, openLine } from "./line.ts";
import type { Line, LineMemory } from "./line.ts";
import type { Header, Message } from "./mailbox.ts";
import { ThreadError } from "./thread-end.ts";
import type { StartedThread } from "./thread-platform.ts";

/** What a new thread is told. */
export interface CoroutineThreadData {
  readonly line: LineMemory;
}

/** Threads that wait for further bodies; those beyond are ended. */
const MAX_IDLE = 8;

const idle: CoroutineThread[] = [];

/** One that has nothing to do, or a new one. @param entry the module that runs in it */
export function takeCoroutineThread(entry: URL): CoroutineThread {
  for (let thread = idle.pop(); thread !== undefined; thread = idle.pop()) if (!thread.hasEnded) return thread;
  return new CoroutineThread(entry);
}

/** Starts threads that wait for bodies, and waits until they do. */
export async function startCoroutineThreads(entry: URL, count: number): Promise<void> {
  const threads = Array.from({ length: count }, () => new CoroutineThread(entry));
  await Promise.all(threads.map((thread) => thread.begin()));
  idle.push(...threads);
}

export class CoroutineThread {
  readonly #started: StartedThread;
  readonly #line: Line;
  readonly #reader: BlockingReader;
  #listener: (() => void) | undefined;
  #lastId = 0;

  constructor(entry: URL) {
    const data: CoroutineThreadData = { line: makeLineMemory() };
    this.#started = startPlatformThread({ entry, name: "coroutine", data });
    this.#line = openLine(data.line, "parent", {
      port: this.#started.port,
      ring: () => this.#started.post(0),
      whyEnded: () => this.#started.whyEnded(true),
    });
    this.#reader = new BlockingReader(this.#line);
    this.#started.onMessage(() => this.#listener?.());
    void this.#started.ended.then(() => this.#listener?.());
    this.#started.unref();
  }

  get hasEnded(): boolean {
    return this.#started.whyEnded(true) !== undefined;
  }

  /** Fulfils when it has begun: its module says so. */
  async begin(): Promise<void> {
    this.#started.ref();
    await new Promise<void>((resolve) => (this.#listener = resolve));
    this.#listener = undefined;
    this.#started.unref();
  }

  /** Starts a body. */
  run(args: readonly unknown[]): void {
    this.#lastId = (this.#lastId + 1) | 0;
    this.#post({ kind: KIND.call, id: this.#lastId, name: 0, depth: 0, owner: 0 }, args, true);
  }

  /** Answers a call of the body, which is blocked in it. */
  answer({ id, name, depth, owner }: Message, kind: number, value: unknown): void {
    this.#post({ kind, id, name, depth, owner }, value);
  }

  /** What comes next from the body. */
  async receive(): Promise<Message> {
    this.#started.ref();
    try {
      for (;;) {
        const message = this.#line.incoming.take();
        if (message !== undefined) return message;
        const ended = this.#started.whyEnded(false);
        if (ended !== undefined) throw ended;
        await new Promise<void>((resolve) => (this.#listener = resolve));
      }
    } finally {
      this.#listener = undefined;
      this.#started.unref();
    }
  }

  /** The same; blocks until it is there. */
  receiveSync(): Message {
    return this.#reader.next(Infinity)!; // without a deadline it throws or has one
  }

  /** Its body has ended: it may run others. */
  release(): void {
    if (idle.length < MAX_IDLE) idle.push(this);
    else void this.terminate();
  }

  async terminate(): Promise<void> {
    await this.#started.terminate(new ThreadError("terminated", "The thread was terminated"));
  }

  #post(header: Header, value: unknown, isList = false): void {
    const { outgoing } = this.#line;
    // Nobody else writes here, and whatever was written before has been answered.
    if (!outgoing.post(header, value, isList))
      throw new ThreadError("lost", "The thread does not take what it is sent");
  }
}
