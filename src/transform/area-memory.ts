/**
 * The memory of the areas, which many instances share: an engine reserves 10 GiB of addresses for each memory, so that there is room for
 * 13,000 in a process, and making one takes longer than all the rest of a small instance.
 *
 *     0      heads of the lists of free extents, by log2 of their size
 *     128    the first address that was never used; how much of the memory is taken by extents
 *     256    ROOT_AREA: the area that is in use when no stack is, of all instances, which all write the same there
 *     512    extents, one after the other
 *
 * An **extent** is what an instance takes of it at a time, 2^n bytes. It cuts blocks from that: block-allocator.ts.
 *
 *     extent -16    the next extent of the instance, or the next free one
 *            -12    log2 of its size
 *              0    …
 *
 * The first extent of an instance begins with its **record**:
 *
 *     record  0     the first unused address in the extent that blocks are cut from, and its end
 *             8     log2 of the size of the next extent: each is twice as large as the one before, up to 1 MiB
 *            12     how much the instance has taken
 *            28     heads of the lists of its free blocks, by log2 of their size, from 7 on
 *
 * Generated code takes extents; none goes back before the instance is collected, whatever stacks it has left suspended. Then all
 * do: the record names them, and nothing that leads to the instance is needed.
 *
 * What holds between instances that share a memory: none reads or writes what is another's, since addresses of areas never leave the
 * runtime. And none uses up the room of the others: beyond {@link SHARE} an instance only gets what leaves {@link MAX_TENANTS} such shares of
 * the 4 GiB. A memory that has grown stays as large until the last of its instances is gone; so none that is large gets new ones.
 */

/** Addresses in the memory. */
export const FREE_EXTENTS = 0;
export const UNUSED = 128;
export const TAKEN = 132;
export const ROOT_AREA = 256;
const FIRST_EXTENT = 512;

/** Of an extent. */
export const EXTENT_HEADER_BYTES = 16;
export const SMALLEST_EXTENT_LOG2 = 10;
export const LARGEST_EXTENT_LOG2 = 20;

/** Offsets in a record. */
export const BLOCK_UNUSED = 0;
export const BLOCK_END = 4;
export const NEXT_EXTENT_LOG2 = 8;
export const INSTANCE_TAKEN = 12;
const RECORD_BYTES = 128;

/** What is taken is counted in units of the smallest extent, which fit into 32 bits. */
const UNIT_LOG2 = SMALLEST_EXTENT_LOG2;
const MAX_TENANTS = 64;
/** What an instance may take of a memory in any case: 16 MiB; in units. */
export const SHARE: number = 2 ** (24 - UNIT_LOG2);
/** How much may be taken in all by instances that have more than their share. */
export const NOT_RESERVED: number = 2 ** (32 - UNIT_LOG2) - MAX_TENANTS * SHARE;
/** A memory of which more than this is taken, 64 MiB, gets no new instances; in units. */
const FULL = 2 ** (26 - UNIT_LOG2);
/** Nor does one of which this was used at some time: there might be no extent for them. */
const MAX_UNUSED = 2 ** 31;
/** A memory that nobody uses and that is larger is let go of. */
const MAX_KEPT_BYTES = 2 ** 20;

/** The record of an instance that may be collected. */
interface Tenancy {
  readonly areas: AreaMemory;
  readonly record: number;
}

/** Those that new instances may have, the one to take last. */
const open: AreaMemory[] = [];
/** The last one that was made. */
let newest: WeakRef<AreaMemory> | undefined;

const collected = new FinalizationRegistry<Tenancy>(({ areas, record }) => areas.giveBack(record));

export class AreaMemory {
  readonly memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: 1 });
  #tenants = 0;
  /** Made anew when the memory has grown. */
  #words: Uint32Array = new Uint32Array(this.memory.buffer);

  /**
   * One that has room for another instance.
   *
   * @throws {RangeError} when the engine has no room for a memory
   */
  static withRoom(): AreaMemory {
    while (open.length > 0 && !open.at(-1)!.#hasRoom) open.pop();
    if (open.length === 0) open.push(AreaMemory.#make());
    return open.at(-1)!;
  }

  static #make(): AreaMemory {
    try {
      const made = new AreaMemory();
      newest = new WeakRef(made);
      return made;
    } catch (error) {
      // There may be many that nobody uses: those are let go of by an event loop that has not had its turn yet.
      const made = newest?.deref();
      if (made === undefined) throw error;
      return made;
    }
  }

  constructor() {
    this.#words[UNUSED >> 2] = FIRST_EXTENT;
  }

  /** A record for the instance whose areas are only used as long as `owner` is there. */
  admit(owner: object): number {
    const record = this.#takeExtent();
    const words = this.#view();
    words.fill(0, record >>> 2, (record + RECORD_BYTES) >>> 2);
    words[(record + BLOCK_UNUSED) >>> 2] = record + RECORD_BYTES;
    words[(record + BLOCK_END) >>> 2] = record + 2 ** SMALLEST_EXTENT_LOG2;
    words[(record + NEXT_EXTENT_LOG2) >>> 2] = SMALLEST_EXTENT_LOG2 + 1;
    words[(record + INSTANCE_TAKEN) >>> 2] = 1;
    this.#tenants++;
    collected.register(owner, { areas: this, record });
    return record;
  }

  giveBack(record: number): void {
    const words = this.#view();
    words[TAKEN >> 2]! -= words[(record + INSTANCE_TAKEN) >>> 2]!;
    for (let extent = record; extent !== 0;) {
      const header = (extent - EXTENT_HEADER_BYTES) >>> 2;
      const next = words[header]!;
      const free = (FREE_EXTENTS >> 2) + words[header + 1]!;
      words[header] = words[free]!;
      words[free] = extent;
      extent = next;
    }
    this.#tenants--;
    this.#openAgain();
  }

  get #hasRoom(): boolean {
    const words = this.#view();
    return this.#tenants < MAX_TENANTS && words[TAKEN >> 2]! < FULL && words[UNUSED >> 2]! < MAX_UNUSED;
  }

  /** After an instance is gone. Of those that nobody uses one is kept. */
  #openAgain(): void {
    const position = open.indexOf(this);
    const isOnly = open.every((other) => other === this);
    const isKept = this.#tenants > 0 || (isOnly && this.memory.buffer.byteLength <= MAX_KEPT_BYTES);
    if (position < 0 && isKept && this.#hasRoom) open.unshift(this);
    else if (position >= 0 && !isKept) open.splice(position, 1);
  }

  #takeExtent(): number {
    const words = this.#view();
    const free = (FREE_EXTENTS >> 2) + SMALLEST_EXTENT_LOG2;
    let extent = words[free]!;
    if (extent === 0) extent = this.#neverUsed();
    else words[free] = words[(extent - EXTENT_HEADER_BYTES) >>> 2]!;
    this.#view()[TAKEN >> 2]!++;
    this.#view()[(extent - EXTENT_HEADER_BYTES) >>> 2] = 0;
    return extent;
  }

  #neverUsed(): number {
    const extent = this.#view()[UNUSED >> 2]! + EXTENT_HEADER_BYTES;
    const end = extent + 2 ** SMALLEST_EXTENT_LOG2;
    if (end > this.memory.buffer.byteLength) this.memory.grow(1);
    const words = this.#view();
    words[UNUSED >> 2] = end;
    words[((extent - EXTENT_HEADER_BYTES) >>> 2) + 1] = SMALLEST_EXTENT_LOG2;
    return extent;
  }

  #view(): Uint32Array {
    if (this.#words.length === 0) this.#words = new Uint32Array(this.memory.buffer);
    return this.#words;
  }
}
