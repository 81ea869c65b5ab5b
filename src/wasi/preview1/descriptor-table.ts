/** The numbers under which a program has things open. */

import type { Descriptor } from "./descriptor.ts";
import { Errno } from "./errno.ts";

/** Always the smallest free number, as POSIX has it. */
export class DescriptorTable {
  readonly #open: (Descriptor | undefined)[] = [];
  readonly #maxOpen: number;
  #count = 0;
  #isClosed = false;

  constructor(maxOpen: number) {
    this.#maxOpen = maxOpen;
  }

  /** @throws {Errno} `EBADF` when nothing is open under that number */
  get(number: number): Descriptor {
    const descriptor = this.#open[number >>> 0];
    if (descriptor === undefined) throw new Errno("EBADF");
    return descriptor;
  }

  /** `get`, for what needs these rights. */
  with(number: number, rights: bigint): Descriptor {
    const descriptor = this.get(number);
    descriptor.requireRights(rights);
    return descriptor;
  }

  /** Whether one more can be opened. @throws {Errno} `EMFILE`; `EBADF` when the program has ended: a call of it may still be under way */
  requireRoom(): void {
    if (this.#isClosed) throw new Errno("EBADF");
    if (this.#count >= this.#maxOpen) throw new Errno("EMFILE");
  }

  /** @returns its number, which is at least `from`. @throws {Errno} `EMFILE`: the descriptor is the caller's to close then */
  add(descriptor: Descriptor, from = 0): number {
    this.requireRoom();
    // Holes are `undefined`, never empty: indexOf() does not see those.
    while (this.#open.length < from) this.#open.push(undefined);
    const free = this.#open.indexOf(undefined, from);
    const number = free === -1 ? this.#open.length : free;
    this.#open[number] = descriptor;
    this.#count++;
    return number;
  }

  /** Takes it out, to be closed. */
  remove(number: number): Descriptor {
    const descriptor = this.get(number);
    this.#open[number >>> 0] = undefined;
    this.#count--;
    return descriptor;
  }

  /** Puts what is open as `from` to the number `to`, which has to be open. @returns what was there; `undefined` if that is the same number */
  move(from: number, to: number): Descriptor | undefined {
    const moved = this.get(from);
    const replaced = this.get(to);
    if (from === to) return undefined;
    this.remove(from);
    this.#open[to >>> 0] = moved;
    return replaced;
  }

  /** Takes all of them out, to be closed. */
  drain(): Descriptor[] {
    this.#count = 0;
    this.#isClosed = true;
    return this.#open.splice(0).filter((descriptor) => descriptor !== undefined);
  }
}
