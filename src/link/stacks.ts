/**
 * The stacks of one guest: its own, and regions of its memory for the activations that overlap.
 *
 *     low                     LIMIT                                   BASE (16-byte aligned)
 *      | red zone, 128 bytes   | … frames grow downwards …            |
 *
 * LLVM lets a leaf function use 128 bytes below the stack pointer without moving it (WebAssemblyFrameLowering, RedZoneSize), which
 * is why the limit that the code checks lies above the end of the region.
 */

import { ResumeError } from "../coroutine/errors.ts";
import {
  BASE,
  FLAGS,
  FREE,
  GENERATION,
  GUEST,
  HELD,
  INNER,
  LIMIT,
  MAIN,
  ON_MAIN_STACK,
  OUTER,
  POINTER,
  giveBackBlock,
  readAddress,
  readWord,
  takeBlock,
  words,
  writeAddress,
  writeWord,
} from "./switchboard.ts";

const RED_ZONE_BYTES = 128;
const ALIGNMENT_BYTES = 16;
const MIN_STACK_BYTES = 1024;
const MAX_STACK_BYTES = 2 ** 31;
/** Painted over a region to see later how much of it was used. */
const PAINT = 0xa5;

/** How a guest's further activations get their stacks. All sizes in bytes. */
export interface StackOptions {
  /** Size of one region; 64 KiB when left out, as much as wasm-ld gives a program by default. */
  readonly bytes?: number | undefined;
  /** Regions at most, beside the guest's own stack; unlimited when left out. Calls beyond it wait. */
  readonly capacity?: number | undefined;
  /** Whether to keep track of {@link Stack.highWaterBytes}; costs writing every region once. */
  readonly measure?: boolean | undefined;
}

/** Where regions come from. Addresses and sizes in bytes. */
export interface RegionSource {
  /** `undefined`: there is no room. */
  allocate(bytes: number): number | undefined;
  free(address: number, bytes: number): void;
}

/** What the guest has for a stack, and what further ones are made of. */
export interface GuestStackPlan {
  /** - `"regions"`: every overlapping activation gets a region; `"none"`: it needs none; `"single"`: there is only one stack */
  readonly kind: "regions" | "none" | "single";
  /** Why there is only one. */
  readonly queueReason?: string | undefined;
  readonly source: RegionSource;
  readonly memory: () => WebAssembly.Memory | undefined;
}

/** What is needed to free the region of a {@link Stack} that nobody has any more. */
interface Dropped {
  readonly pool: WeakRef<StackPool>;
  readonly record: number;
  readonly bytes: number;
  /** The generation of the record when an activation was started on it. */
  usedGeneration: number;
}

/** An activation that never ends keeps the region, as the engine keeps its stack. */
const dropped = new FinalizationRegistry<Dropped>(({ pool, record, bytes, usedGeneration }) => {
  if (usedGeneration !== readWord(record, GENERATION)) pool.deref()?.close(record, bytes);
});

/**
 * One region, for a caller that wants its calls on a stack of their own. Made by {@link StackPool.open}. One that is dropped without
 * {@link Stack.free} is freed when it is collected.
 */
export class Stack {
  /** Size in bytes; 0 if the guest keeps no stack in its memory. */
  readonly bytes: number;
  readonly #pool: StackPool;
  readonly #record: number;
  readonly #firstGeneration: number;
  readonly #dropped: Dropped;
  #isFreed = false;

  /** Made by {@link StackPool.open}, not by users. */
  constructor(pool: StackPool, record: number, bytes: number) {
    this.#pool = pool;
    this.#record = record;
    this.bytes = bytes;
    this.#firstGeneration = readWord(record, GENERATION);
    this.#dropped = { pool: new WeakRef(pool), record, bytes, usedGeneration: -1 };
    dropped.register(this, this.#dropped, this);
  }

  /** Whether an activation is on it. */
  get inUse(): boolean {
    return this.#dropped.usedGeneration === readWord(this.#record, GENERATION);
  }

  /** Activations that have ended on it. */
  get uses(): number {
    return readWord(this.#record, GENERATION) - this.#firstGeneration;
  }

  /** The most that was ever in use, in bytes; `undefined` unless the pool measures. */
  get highWaterBytes(): number | undefined {
    return this.#pool.measure(this.#record, this.bytes);
  }

  /** Gives the memory back. Does nothing the second time. */
  free(): void {
    if (this.#isFreed) return;
    if (this.inUse) throw new ResumeError("running", "Cannot free stack: an activation is on it, expected none");
    this.#isFreed = true;
    dropped.unregister(this);
    this.#pool.close(this.#record, this.bytes);
  }

  [Symbol.dispose](): void {
    this.free();
  }

  /** Its record, for an activation that starts now. */
  use(pool: StackPool): number {
    if (pool !== this.#pool) throw new TypeError("Cannot use stack: it belongs to another instance");
    if (this.#isFreed) throw new ResumeError("freed", "Cannot use stack: it was freed");
    if (this.inUse) throw new ResumeError("running", "Cannot use stack: an activation is on it, expected none");
    this.#dropped.usedGeneration = readWord(this.#record, GENERATION);
    return this.#record;
  }
}

/** What a pool has of the switchboard; numbers only, since whatever this reaches is never collected. */
interface Blocks {
  readonly guest: number;
  readonly records: readonly number[];
}

const collected = new FinalizationRegistry<Blocks>(({ guest, records }) => {
  for (const record of records) giveBackBlock(record);
  giveBackBlock(guest);
});

/** The stacks of one instance; `instance.stacks`. */
export class StackPool {
  /** Size of a region in bytes. */
  readonly stackBytes: number;
  /** Regions at most, beside the guest's own stack. */
  readonly capacity: number;
  /** Address of the guest's block in the switchboard. */
  readonly guest: number;
  readonly #plan: GuestStackPlan;
  #kind: GuestStackPlan["kind"];
  #queueReason: string | undefined;
  #isShared = false;
  readonly #measures: boolean;
  readonly #records: number[] = [];
  #pooled = 0;
  #opened = 0;
  #reused = 0;

  /** Made with an instance, not by users. */
  constructor(plan: GuestStackPlan, { bytes = 65536, capacity = Infinity, measure = false }: StackOptions) {
    requireStackBytes("make stacks", bytes);
    if (!(capacity >= 0)) throw new RangeError(`Cannot make stacks: capacity must be 0 or more, received ${capacity}`);
    this.stackBytes = align(bytes);
    this.capacity = capacity;
    this.#plan = plan;
    this.#kind = plan.kind;
    this.#queueReason = plan.queueReason;
    this.#measures = measure;
    this.guest = takeBlock();
    collected.register(this, { guest: this.guest, records: this.#records });
    if (plan.kind !== "none") {
      const main = this.#addRecord(ON_MAIN_STACK);
      writeWord(this.guest, MAIN, main);
    }
  }

  /** Whether all activations of the guest share one stack. */
  get isSingle(): boolean {
    return this.#kind === "single";
  }

  /** Why they do; `undefined` if they do not. */
  get queueReason(): string | undefined {
    return this.isSingle ? this.#queueReason : undefined;
  }

  /** Whether several guests have it, because they share a stack. */
  get isShared(): boolean {
    return this.#isShared;
  }

  /**
   * For another guest on the same stack: there is only that from now on.
   *
   * @throws {WebAssembly.LinkError} when further ones are in use
   */
  share(reason: string): void {
    this.becomeSingle(reason);
    this.#isShared = true;
  }

  /**
   * From now on there is only the guest's own stack.
   *
   * @throws {WebAssembly.LinkError} when others are in use
   */
  becomeSingle(reason: string): void {
    if (this.isSingle) return;
    if (this.#opened > 0 || this.#countFree() < this.#pooled) {
      throw new WebAssembly.LinkError(
        `Cannot link guest: ${reason}, and calls of that guest have further stacks at the moment; ` +
          "link it before they begin, or when they have ended",
      );
    }
    this.#kind = "single";
    this.#queueReason = reason;
    writeWord(this.guest, FREE, 0);
  }

  /** Regions that exist in the pool, in use or not. The guest's own stack and opened ones do not count. */
  get size(): number {
    return this.#pooled;
  }

  /** Stacks that {@link StackPool.open} has made and that were not freed. */
  get opened(): number {
    return this.#opened;
  }

  /** How often a region was used again. */
  get reused(): number {
    return this.#reused;
  }

  /** The most that was in use of any region of the pool, in bytes; `undefined` unless it measures. */
  get highWaterBytes(): number | undefined {
    if (!this.#measures) return undefined;
    return Math.max(0, ...this.#records.map((record) => this.measure(record, this.stackBytes) ?? 0));
  }

  /**
   * A stack for calls that ask for it: `instance.function("f").call(args, { stack })`.
   *
   * @throws {RangeError} when the guest's memory has no room for it, or the guest cannot have further stacks
   */
  open(bytes: number = this.stackBytes): Stack {
    requireStackBytes("open stack", bytes);
    if (this.isSingle) throw new RangeError("Cannot open stack: this guest cannot have more than one");
    const size = this.#plan.kind === "none" ? 0 : align(bytes);
    const record = this.#addRegion(size, HELD);
    if (record === 0) throw new RangeError(`Cannot open stack: the guest's memory has no room for ${size} bytes`);
    this.#opened++;
    return new Stack(this, record, size);
  }

  /** A record with a stack for an activation that starts now; 0 when it has to wait. */
  take(): number {
    const main = words[(this.guest + MAIN) >> 2]!;
    // Beneath a running activation or synchronous call the guest's own stack is not free, even if no activation owns it.
    if (main !== 0 && words[(this.guest + INNER) >> 2] === 0) {
      words[(this.guest + MAIN) >> 2] = 0;
      return main;
    }
    const free = words[(this.guest + FREE) >> 2]!;
    if (free !== 0) {
      words[(this.guest + FREE) >> 2] = words[(free + OUTER) >> 2]!;
      this.#reused++;
      return free;
    }
    return this.#addPooled();
  }

  /**
   * Says how far down the guest's own stack goes, which only some know of theirs: the code of the guest compares with that from the next
   * activation on.
   */
  boundOwn(low: number): void {
    const main = readWord(this.guest, MAIN);
    if (main !== 0) writeAddress(main, LIMIT, low + RED_ZONE_BYTES);
  }

  /** Puts back what {@link StackPool.take} gave, if no activation was started on it. */
  giveBack(record: number): void {
    const flags = readWord(record, FLAGS);
    if ((flags & HELD) !== 0) {
      // For its owner that was a use.
      writeWord(record, GENERATION, readWord(record, GENERATION) + 1);
      return;
    }
    if ((flags & ON_MAIN_STACK) !== 0) writeWord(this.guest, MAIN, record);
    else {
      writeWord(record, OUTER, readWord(this.guest, FREE));
      writeWord(this.guest, FREE, record);
    }
  }

  /** Gives `body` a record for an activation on top of the one that is on the guest's only stack. */
  async runNested<Result>(body: (record: number) => Promise<Result>): Promise<Result> {
    const record = this.#addRecord(ON_MAIN_STACK | HELD);
    try {
      return await body(record);
    } finally {
      giveBackBlock(record);
    }
  }

  /** Bytes of the region that were ever written, counted from its top. */
  measure(record: number, bytes: number): number | undefined {
    const memory = this.#plan.memory();
    if (!this.#measures || memory === undefined || bytes === 0) return undefined;
    const low = readAddress(record, LIMIT) - RED_ZONE_BYTES;
    // The guest's own stack is not painted.
    if (low < 0) return undefined;
    const region = new Uint8Array(memory.buffer, low, bytes);
    const used = region.findIndex((byte) => byte !== PAINT);
    return used < 0 ? 0 : bytes - used;
  }

  /** Frees the region of an opened stack. */
  close(record: number, bytes: number): void {
    this.#opened--;
    if (bytes > 0) this.#plan.source.free(readAddress(record, LIMIT) - RED_ZONE_BYTES, bytes);
    giveBackBlock(record);
  }

  #countFree(): number {
    let count = 0;
    for (let record = readWord(this.guest, FREE); record !== 0; record = readWord(record, OUTER)) count++;
    return count;
  }

  #addPooled(): number {
    if (this.isSingle || this.#pooled >= this.capacity) return 0;
    const record = this.#addRegion(this.#plan.kind === "none" ? 0 : this.stackBytes, 0);
    if (record !== 0) this.#pooled++;
    return record;
  }

  #addRegion(bytes: number, flags: number): number {
    const low = bytes === 0 ? 0 : this.#plan.source.allocate(bytes);
    if (low === undefined) return 0;
    const record = this.#addRecord(flags);
    if (bytes === 0) return record;
    writeAddress(record, LIMIT, low + RED_ZONE_BYTES);
    writeAddress(record, BASE, low + bytes);
    writeAddress(record, POINTER, low + bytes);
    const memory = this.#plan.memory();
    if (this.#measures && memory !== undefined) new Uint8Array(memory.buffer, low, bytes).fill(PAINT);
    return record;
  }

  #addRecord(flags: number): number {
    const record = takeBlock();
    writeWord(record, FLAGS, flags);
    writeWord(record, GUEST, this.guest);
    if ((flags & HELD) === 0) this.#records.push(record);
    return record;
  }
}

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

function requireStackBytes(what: string, bytes: number): void {
  if (Number.isSafeInteger(bytes) && bytes >= MIN_STACK_BYTES && bytes <= MAX_STACK_BYTES) return;
  throw new RangeError(
    `Cannot ${what}: bytes must be an integer from ${MIN_STACK_BYTES} to ${MAX_STACK_BYTES}, received ${bytes}`,
  );
}
