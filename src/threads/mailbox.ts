/**
 * One direction between two threads: room for one message, which one thread writes and the other one takes.
 *
 *     small   +0   state: 0 free, 1 full, 2 being read, 3 being written; who waits for a message waits for it here
 *             +4   1: the reader looks by itself, being blocked or about to look; it need not be woken
 *             +8   kind    \
 *             +12  id       }  of the message, for those who send it
 *             +16  name     }
 *             +20  depth   |
 *             +24  owner  /
 *             +28  where the value is: 0 behind this header, 1 in `large`, 2 in the port
 *             +32  number of the value in the port
 *             +40  the value, see value-layout.ts
 *
 *     large   grows as it is needed
 *
 * What is large, or cannot be written into memory, is cloned by the platform, through a port that is read without an event loop. Browsers
 * have none, so there what is large is written into `large`.
 *
 * To wake the reader takes about as long as to clone a megabyte, so he is woken before that, and waits until it has been written.
 */

import { keepFreedMemory } from "./freed-memory.ts";
import { copyToMove, readLargeValue } from "./large-value.ts";
import type { LargeValue } from "./large-value.ts";
import { packValue, unpackValue } from "./packed-value.ts";
import type { PackedValue } from "./packed-value.ts";
import { spin } from "./spinning.ts";
import { areBytes, detach, requireAttached, takeTransfers } from "./transfer.ts";
import { NoRoom, NotEncodable, encodeValue } from "./value-encoder.ts";
import type { EncoderRoom } from "./value-encoder.ts";
import { decodeValue } from "./value-decoder.ts";

const FREE = 0;
const FULL = 1;
const BEING_READ = 2;
const BEING_WRITTEN = 3;

const STATE = 0;
const IS_WATCHED = 1;
const KIND = 2;
const ID = 3;
const NAME = 4;
const DEPTH = 5;
const OWNER = 6;
const PLACE = 7;
const PORT_NUMBER = 8;
const HEADER_BYTES = 40;

const PLACES = { small: 0, large: 1, port: 2 } as const;

const SMALL_BYTES = 8192;
/** How long a reader waits for what is being written, and looks for it before he sleeps: somewhat more than it takes to clone a megabyte. */
const WRITING_MS = 4;
const SPIN_MS = 0.1;
/** Only addresses are set aside, not memory. */
const MAX_LARGE_BYTES = 2 ** 30;

/** What both threads have of a mailbox. */
export interface MailboxMemory {
  readonly small: SharedArrayBuffer;
  readonly large: SharedArrayBuffer;
}

/** A port through which the platform clones values. */
export interface ValuePort {
  post(value: unknown, transfer: readonly Transferable[]): void;
  /** What has come, without waiting; `undefined`: nothing. */
  receive(): { readonly value: unknown } | undefined;
}

/** What a side of a mailbox has of its platform. */
export interface MailboxEnd {
  readonly port?: ValuePort | undefined;
  /** Has the reader look, once he comes to his event loop. */
  readonly ring?: (() => void) | undefined;
}

/** What a message is besides its value: 32-bit integers. */
export interface Header {
  readonly kind: number;
  /** Of a call, and of the answer to it. */
  readonly id: number;
  /** Which function is called. */
  readonly name: number;
  /** Calls that the caller is blocked in already. */
  readonly depth: number;
  /** On whose behalf, if the caller has something to say of it; else 0. */
  readonly owner: number;
}

export interface Message extends Header {
  readonly value: unknown;
}

export function makeMailboxMemory(): MailboxMemory {
  return {
    small: new SharedArrayBuffer(SMALL_BYTES),
    large: new SharedArrayBuffer(0, { maxByteLength: MAX_LARGE_BYTES }),
  };
}

export class Mailbox {
  readonly #words: Int32Array;
  readonly #small: EncoderRoom;
  readonly #large: SharedArrayBuffer;
  readonly #port: ValuePort | undefined;
  readonly #ring: (() => void) | undefined;
  /** Getters of what is being written may write messages themselves. */
  #isWriting = false;
  #lastNumber = 0;
  readonly #isWritten: () => boolean;

  constructor({ small, large }: MailboxMemory, { port, ring }: MailboxEnd = {}) {
    this.#words = new Int32Array(small);
    this.#small = roomIn(small, HEADER_BYTES);
    this.#large = large;
    this.#port = port;
    this.#ring = ring;
    this.#isWritten = () => Atomics.load(this.#words, STATE) !== BEING_WRITTEN;
  }

  // The writer's side.

  /** Whether this is called from inside {@link Mailbox.post}. Who does not wait for an answer to his message has to wait with it then. */
  get isWriting(): boolean {
    return this.#isWriting;
  }

  /** Writes a message if the last one has been taken, and wakes the reader. `isList`: of arguments. @returns whether it had */
  post(header: Header, value: unknown, isList = false): boolean {
    const words = this.#words;
    if (Atomics.load(words, STATE) !== FREE) return false;
    const transfer = takeTransfers(value, isList);
    const large = this.#port === undefined || transfer.length > 0 ? undefined : readLargeValue(value, isList);
    const announcedAt = large && this.#announce();
    const wasWriting = this.#isWriting;
    this.#isWriting = true;
    try {
      if (large !== undefined) words[PLACE] = this.#writeLarge(large);
      else words[PLACE] = this.#write(value, transfer, wasWriting);
    } catch (error) {
      if (announcedAt !== undefined) this.#setState(FREE);
      throw error;
    } finally {
      this.#isWriting = wasWriting;
    }
    words[KIND] = header.kind;
    words[ID] = header.id;
    words[NAME] = header.name;
    words[DEPTH] = header.depth;
    words[OWNER] = header.owner;
    this.#setState(FULL);
    // Who was woken before that waits for it still, unless it took long.
    if (announcedAt === undefined || performance.now() - announcedAt > WRITING_MS / 2) this.#wake();
    return true;
  }

  /** Wakes the reader for what is written now. @returns when, by `performance.now()` */
  #announce(): number {
    keepFreedMemory();
    const now = performance.now();
    this.#setState(BEING_WRITTEN);
    this.#wake();
    return now;
  }

  #setState(state: number): void {
    Atomics.store(this.#words, STATE, state);
    Atomics.notify(this.#words, STATE);
  }

  #wake(): void {
    if (Atomics.load(this.#words, IS_WATCHED) === 0) this.#ring?.();
  }

  /** Takes back what nobody has begun to read. */
  withdraw(): void {
    Atomics.compareExchange(this.#words, STATE, FULL, FREE);
  }

  #writeLarge(large: LargeValue): number {
    const { value, transfer } = copyToMove(large);
    return this.#writeToPort({ value }, transfer);
  }

  /** `isInside`: from a getter of what is being written, which has the room. @returns where the value is */
  #write(value: unknown, transfer: readonly Transferable[], isInside: boolean): number {
    requireAttached(transfer);
    if (transfer.length > 0 && this.#port !== undefined) return this.#writeToPort({ value }, transfer);
    if (!areBytes(transfer)) throw new DOMException("only bytes can be moved to where it is going", "DataCloneError");
    const place = isInside ? this.#writeToPort(packError(value)) : this.#writeCopy(value);
    detach(transfer);
    return place;
  }

  #writeCopy(value: unknown): number {
    try {
      return this.#encode(value);
    } catch (error) {
      if (error instanceof NotEncodable) return this.#writeToPort({ value });
      if (error instanceof NoRoom) return this.#writeToPort(packError(value));
      throw error;
    }
  }

  #encode(value: unknown): number {
    let place: number = PLACES.small;
    encodeValue(value, this.#small, (needed, used) => {
      // The platform clones large values faster than they can be written here.
      if (this.#port !== undefined) return undefined;
      const room = this.#growLarge(needed);
      if (place === PLACES.small) room?.bytes.set(this.#small.bytes.subarray(0, used));
      place = PLACES.large;
      return room;
    });
    return place;
  }

  #growLarge(needed: number): EncoderRoom | undefined {
    if (needed > MAX_LARGE_BYTES) return undefined;
    // At least twice as much: a large value asks for it piece by piece.
    const size = Math.min(MAX_LARGE_BYTES, Math.max(needed, 2 * this.#large.byteLength, 2 * SMALL_BYTES));
    if (this.#large.byteLength < needed) this.#large.grow(size);
    return roomIn(this.#large, 0);
  }

  #writeToPort(packed: PackedValue, transfer: readonly Transferable[] = []): number {
    if (this.#port === undefined) throw new DOMException("it cannot be written into shared memory", "DataCloneError");
    // Getters may write others meanwhile.
    const number = (this.#lastNumber = (this.#lastNumber + 1) | 0);
    this.#port.post({ number, packed }, transfer);
    this.#words[PORT_NUMBER] = number;
    return PLACES.port;
  }

  // The reader's side.

  get hasMessage(): boolean {
    return Atomics.load(this.#words, STATE) === FULL;
  }

  /** Whether there is one, or is about to be. */
  get isMessageComing(): boolean {
    const state = Atomics.load(this.#words, STATE);
    return state === FULL || state === BEING_WRITTEN;
  }

  /** Whether this thread looks for messages by itself. */
  setWatched(isWatched: boolean): void {
    Atomics.store(this.#words, IS_WATCHED, isWatched ? 1 : 0);
  }

  /** Blocks the thread until there is a message, or for so long. */
  wait(timeoutMs: number): void {
    Atomics.wait(this.#words, STATE, FREE, timeoutMs);
  }

  /** The message, which is gone then. One that is being written is waited for a little. */
  take(maxWaitMs: number = WRITING_MS): Message | undefined {
    const words = this.#words;
    if (Atomics.load(words, STATE) === BEING_WRITTEN) this.#awaitWriter(Math.min(maxWaitMs, WRITING_MS));
    if (Atomics.compareExchange(words, STATE, FULL, BEING_READ) !== FULL) return undefined;
    try {
      return {
        kind: words[KIND]!,
        id: words[ID]!,
        name: words[NAME]!,
        depth: words[DEPTH]!,
        owner: words[OWNER]!,
        value: this.#read(words[PLACE]!),
      };
    } finally {
      Atomics.store(words, STATE, FREE);
    }
  }

  /** Blocks, but not for ever: the other thread may be gone. */
  #awaitWriter(maxWaitMs: number): void {
    const words = this.#words;
    const wasWatched = Atomics.exchange(words, IS_WATCHED, 1);
    const isWritten = spin(this.#isWritten, performance.now() + SPIN_MS);
    if (!isWritten) Atomics.wait(words, STATE, BEING_WRITTEN, maxWaitMs);
    Atomics.store(words, IS_WATCHED, wasWatched);
  }

  #read(place: number): unknown {
    if (place === PLACES.port) return this.#readFromPort(this.#words[PORT_NUMBER]!);
    return decodeValue(place === PLACES.small ? this.#small : roomIn(this.#large, 0));
  }

  /** Those before it were withdrawn. */
  #readFromPort(number: number): unknown {
    for (;;) {
      const received = this.#port?.receive();
      if (received === undefined) throw new TypeError("Cannot read a message: what was cloned for it has not come");
      const numbered = received.value as { readonly number: number; readonly packed: PackedValue };
      if (numbered.number === number) return unpackValue(numbered.packed);
    }
  }
}

/** Clones of the platform leave out what errors have. */
function packError(value: unknown): PackedValue {
  return value instanceof Error ? packValue(value) : { value };
}

function roomIn(buffer: SharedArrayBuffer, offset: number): EncoderRoom {
  return { bytes: new Uint8Array(buffer, offset), view: new DataView(buffer, offset) };
}
