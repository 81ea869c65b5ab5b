/** Streams that announce with events what they have: those of Node, and whatever has their shape. */

import { HostError } from "./host-error.ts";
import type { InputStream, OutputStream } from "./stream.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- what a handler is given depends on the event; nothing here looks at it but at errors
type Handler = (...details: any[]) => void;

interface Emitter {
  on(event: string, handler: Handler): unknown;
  off(event: string, handler: Handler): unknown;
}

/** What is used of a `Readable` of Node. */
export interface EventReadable extends Emitter {
  read(size?: number): unknown;
  pause(): unknown;
  destroy(): unknown;
  listenerCount(event: string): number;
  readonly readableEnded: boolean;
  readonly destroyed: boolean;
  readonly readableFlowing: boolean | null;
  readonly isTTY?: boolean;
  readonly fd?: unknown;
  ref?(): unknown;
  unref?(): unknown;
}

/** What is used of a `Writable` of Node. */
export interface EventWritable extends Emitter {
  write(chunk: Uint8Array, done: (error?: Error | null) => void): boolean;
  end(): unknown;
  readonly destroyed: boolean;
  readonly writableEnded?: boolean;
  readonly writableFinished?: boolean;
  readonly writableLength: number;
  readonly isTTY?: boolean;
}

export function isEventReadable(source: object): source is EventReadable {
  return "read" in source && "on" in source && typeof source.read === "function" && typeof source.on === "function";
}

export function isEventWritable(target: object): target is EventWritable {
  return "write" in target && "on" in target && typeof target.write === "function" && typeof target.on === "function";
}

/** How a stream is used. */
export interface StreamUse {
  /** Whether others use it, too: it is not ended with the program. */
  readonly isShared: boolean;
}

/** Reads what `stream` has. It is read only as far ahead as it does by itself, and only once somebody has asked for it. */
export function readEventReadable(stream: EventReadable, use: StreamUse = useOfInput(stream)): InputStream {
  return new EventInput(stream, use.isShared);
}

/** Writes to `stream`. */
export function writeEventWritable(stream: EventWritable, use: StreamUse = useOfOutput(stream)): OutputStream {
  return new EventOutput(stream, use.isShared);
}

/** Those of the process are for everybody in it. There are none but in Node. */
const { process: standard }: { readonly process?: StandardStreams } = globalThis;

interface StandardStreams {
  readonly stdin?: unknown;
  readonly stdout?: unknown;
  readonly stderr?: unknown;
}

function useOfInput(stream: EventReadable): StreamUse {
  // Asked for last: it takes the descriptor into use.
  return { isShared: stream.fd === 0 && stream === standard?.stdin };
}

function useOfOutput(stream: EventWritable): StreamUse {
  return { isShared: stream === standard?.stdout || stream === standard?.stderr };
}

/** One stream, and all who read it. However many they are, it is listened to once. */
class Readable {
  readonly stream: EventReadable;
  readonly #lookers = new Set<() => void>();
  #error: Error | undefined;
  #isOver = false;
  #users = 0;
  #awaited = 0;

  constructor(stream: EventReadable) {
    this.stream = stream;
  }

  /** Whoever listens to errors keeps them from being errors of the process. */
  use(): void {
    if (this.#users++ === 0) this.stream.on("error", this.#onError);
  }

  release(): void {
    if (--this.#users === 0) this.stream.off("error", this.#onError);
  }

  readonly #onError = (error: Error): void => {
    this.#error = error;
    this.#look();
  };

  readonly #onEnd = (): void => {
    this.#isOver = true;
    this.#look();
  };

  readonly #look = (): void => {
    for (const look of this.#lookers) look();
  };

  /** @returns `undefined`: nothing is there yet */
  next(): Uint8Array | null | undefined {
    const { stream } = this;
    const chunk = stream.read();
    if (chunk !== null && chunk !== undefined) return toBytes(chunk);
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
    return stream.readableEnded || stream.destroyed || this.#isOver ? null : undefined;
  }

  /** Calls `look` whenever there may be something. @returns what ends that */
  listen(look: () => void): () => void {
    this.#lookers.add(look);
    if (this.#lookers.size === 1) this.#listen("on");
    return () => {
      if (this.#lookers.delete(look) && this.#lookers.size === 0) this.#listen("off");
    };
  }

  #listen(how: "on" | "off"): void {
    this.stream[how]("readable", this.#look);
    this.stream[how]("end", this.#onEnd);
    this.stream[how]("close", this.#onEnd);
  }

  /** Tells it that one more waits for it, or one less. */
  await(change: 1 | -1): void {
    this.#awaited += change;
    if (this.#awaited === 0) this.stream.unref?.();
    else if (this.#awaited === 1 && change === 1) this.stream.ref?.();
  }

  /** What comes from now on is for others. */
  pause(): void {
    // A stream notices a tick later that nobody listens to it any more. (Node: updateReadableListening)
    setTimeout(() => {
      const { stream } = this;
      if (stream.listenerCount("readable") === 0 && stream.readableFlowing !== true) stream.pause();
    });
  }
}

const readables = new WeakMap<EventReadable, Readable>();

function readableOf(stream: EventReadable): Readable {
  let found = readables.get(stream);
  if (found === undefined) readables.set(stream, (found = new Readable(stream)));
  return found;
}

class EventInput implements InputStream {
  readonly kind: "terminal" | "pipe";
  readonly #readable: Readable;
  readonly #isShared: boolean;
  #stop: (() => void) | undefined;

  constructor(stream: EventReadable, isShared: boolean) {
    this.kind = stream.isTTY === true ? "terminal" : "pipe";
    this.#readable = readableOf(stream);
    this.#isShared = isShared;
    this.#readable.use();
  }

  read(): Uint8Array | null | Promise<Uint8Array | null> {
    const chunk = this.#readable.next();
    return chunk === undefined ? this.#wait() : chunk;
  }

  #wait(): Promise<Uint8Array | null> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        try {
          const chunk = this.#readable.next();
          if (chunk === undefined) return;
          resolve(chunk);
        } catch (error) {
          reject(error);
        }
        this.#stop?.();
        this.#stop = undefined;
      };
      this.#stop = this.#readable.listen(look);
    });
  }

  keepAlive(isWaitedFor: boolean): void {
    if (this.#isShared) this.#readable.await(isWaitedFor ? 1 : -1);
  }

  close(): void {
    this.#stop?.();
    if (this.#isShared) this.#readable.pause();
    else this.#readable.stream.destroy();
    this.#readable.release();
  }
}

const encoder = new TextEncoder();

function toBytes(chunk: unknown): Uint8Array {
  if (typeof chunk === "string") return encoder.encode(chunk);
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError(`Cannot read input: expected bytes or text, received ${typeof chunk}`);
}

/** Stream → who writes to it. */
const writers = new WeakMap<EventWritable, number>();

function ignoreError(): void {}

/** Errors come with the writes that fail; as events they would end the process. */
function countWriter(stream: EventWritable, change: 1 | -1): void {
  const count = (writers.get(stream) ?? 0) + change;
  writers.set(stream, count);
  if (count === 0) stream.off("error", ignoreError);
  else if (count === 1 && change === 1) stream.on("error", ignoreError);
}

class EventOutput implements OutputStream {
  readonly kind: "terminal" | "pipe";
  readonly #stream: EventWritable;
  readonly #isShared: boolean;
  #error: Error | undefined;

  constructor(stream: EventWritable, isShared: boolean) {
    this.kind = stream.isTTY === true ? "terminal" : "pipe";
    this.#stream = stream;
    this.#isShared = isShared;
    countWriter(stream, 1);
  }

  write(bytes: Uint8Array): void | Promise<void> {
    const stream = this.#stream;
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
    if (stream.destroyed || stream.writableEnded === true) throw new HostError("EPIPE");
    let settle: ((error: Error | undefined) => void) | undefined;
    const isRoom = stream.write(bytes, (failure) => {
      if (settle !== undefined) settle(failure ?? undefined);
      else if (failure) this.#error = failure;
    });
    if (isRoom) return undefined;
    return new Promise((resolve, reject) => {
      settle = (failure) => (failure === undefined ? resolve() : reject(failure));
    });
  }

  async close(): Promise<void> {
    const stream = this.#stream;
    if (!stream.destroyed) await (this.#isShared ? this.#flush() : this.#end());
    countWriter(stream, -1);
    if (this.#error !== undefined) throw this.#error;
  }

  /** Returns when all that was written has gone. */
  #flush(): Promise<void> | undefined {
    if (this.#stream.writableLength === 0) return undefined;
    return new Promise((resolve) => {
      this.#stream.write(new Uint8Array(0), () => resolve());
    });
  }

  #end(): Promise<void> {
    const stream = this.#stream;
    // Others may have ended it: that is told once.
    if (stream.writableFinished === true) return Promise.resolve();
    return new Promise((resolve, reject) => {
      stream.on("finish", resolve);
      stream.on("close", resolve);
      stream.on("error", reject);
      stream.end();
    });
  }
}
