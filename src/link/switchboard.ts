/**
 * The memory in which generated wasm and JavaScript agree on which activation runs.
 *
 * One memory for the whole realm: an activation of one guest may call into another guest. Generated code writes it at every
 * switch, because hooks written in JavaScript see the wrong activation as soon as two promises settle in one microtask
 * checkpoint; JavaScript only reads it, and prepares records.
 *
 *     byte  0   a record that stands for "no activation": its FLAGS say that it cannot suspend
 *          36   CROWD        value of LIVE from which on a host function has to be told that an activation calls it
 *          40   THREW        not 0: an activation has ended by an exception since the host has set it to 0
 *          44   SAVED        as LIVE, on a backend that saves the frames of a suspended stack in memory
 *          48   CURRENT      record of the innermost activation on the native stack; 0: none
 *          56   LIVE         activations that have started and not ended, on a backend that leaves native stacks behind
 *          60   REPORT_ENDS  not 0: the host wants to hear of every activation that ends
 *          64   blocks of 64 bytes, each a guest or a record
 *
 *     guest +0  INNER        record of this guest's innermost activation on the native stack; 0: none, the guest is idle
 *           +4  FREE         first free record, the others follow through OUTER
 *           +8  MAIN         the record that owns the guest's own stack, if it is free; else 0
 *          +16  IDLE_POINTER stack pointer for whoever calls the guest while it is idle  (i64, as all addresses here)
 *          +24  ACTIVE       activations of this guest that have started and not ended
 *
 *     record+0  OUTER        CURRENT when it was entered; of a free record: the next free one
 *           +4  OUTER_INNER  INNER when it was entered
 *           +8  FLAGS        see below
 *          +12  GENERATION   counts the activations that had this record, so that a late message is recognised
 *          +16  POINTER      stack pointer while it is not running
 *          +24  LIMIT        lowest value that its stack pointer may take
 *          +32  BASE         stack pointer when it was started
 *          +40  AWAITED      position of the import that it awaits, plus 1; of no meaning while it runs
 *          +44  GUEST        address of its guest's block
 */

export const CROWD = 36;
export const THREW = 40;
export const SAVED = 44;
export const CURRENT = 48;
export const LIVE = 56;
export const REPORT_ENDS = 60;

export const INNER = 0;
export const FREE = 4;
export const MAIN = 8;
export const IDLE_POINTER = 16;
export const ACTIVE = 24;

export const OUTER = 0;
export const OUTER_INNER = 4;
export const FLAGS = 8;
export const GENERATION = 12;
export const POINTER = 16;
export const LIMIT = 24;
export const BASE = 32;
export const AWAITED = 40;
export const GUEST = 44;

/** Flags: it cannot suspend, since it was called synchronously. */
export const SYNCHRONOUS = 1;
/** What it awaits may have to be cancelled. */
export const CANCELLABLE = 2;
/** It runs on the guest's own stack. */
export const ON_MAIN_STACK = 4;
/** It has enter and leave hooks. */
export const HOOKED = 8;
/** It has not suspended yet, and was started by a running activation, to which its stack belongs until then. */
export const NESTED = 32;
/** Its enter hook was called last, not its leave hook. */
export const INSIDE = 64;
/** Its record belongs to the host and does not go back to the guest's free list. */
export const HELD = 16;

const MEMORY_PAGES = 2048;
const PAGE_BYTES = 65536;
const BLOCK_BYTES = 64;

/** Of fixed size, since a view of a memory that has grown has to be made anew: 128 MiB, which cost nothing until they are used. */
export const memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });

/** The memory as 32-bit words: index it with `address >> 2`. */
export const words: Int32Array = new Int32Array(memory.buffer);

words[FLAGS >> 2] = SYNCHRONOUS;
words[CROWD >> 2] = 2 ** 31 - 1;

let nextBlock = BLOCK_BYTES;
const freeBlocks: number[] = [];

/**
 * Address of a block for a guest or a record: all zero, but for a {@link GENERATION} that this block never had.
 *
 * @throws {RangeError} when there are more than 2,097,150 guests and stacks
 */
export function takeBlock(): number {
  const block = freeBlocks.pop();
  if (block !== undefined) {
    const generation = readWord(block, GENERATION) + 1;
    words.fill(0, block >> 2, (block + BLOCK_BYTES) >> 2);
    writeWord(block, GENERATION, generation);
    return block;
  }
  if (nextBlock === MEMORY_PAGES * PAGE_BYTES) {
    throw new RangeError(
      `Cannot link guest: ${nextBlock / BLOCK_BYTES - 1} guests and stacks exist, which is the limit`,
    );
  }
  nextBlock += BLOCK_BYTES;
  return nextBlock - BLOCK_BYTES;
}

export function giveBackBlock(block: number): void {
  freeBlocks.push(block);
}

/** To be called for every activation before its guest is entered; its end is counted by generated code. `counter`: LIVE or SAVED. */
export function countStart(guest: number, counter: number = LIVE): void {
  words[counter >> 2]!++;
  words[(guest + ACTIVE) >> 2]!++;
}

/** For an activation of which generated code does not see the end. */
export function countEnd(guest: number): void {
  words[LIVE >> 2]!--;
  words[(guest + ACTIVE) >> 2]!--;
}

export function readWord(block: number, field: number): number {
  return words[(block + field) >> 2]!;
}

export function writeWord(block: number, field: number, value: number): void {
  words[(block + field) >> 2] = value;
}

/** An address of a guest, as a number: below 2^53 also in a 64-bit memory. */
export function readAddress(block: number, field: number): number {
  const word = (block + field) >> 2;
  return (words[word]! >>> 0) + (words[word + 1]! >>> 0) * 2 ** 32;
}

export function writeAddress(block: number, field: number, address: number): void {
  const word = (block + field) >> 2;
  words[word] = address | 0;
  words[word + 1] = Math.floor(address / 2 ** 32);
}
