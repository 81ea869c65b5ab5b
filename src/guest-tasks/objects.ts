/** What a guest has made, by the numbers that it knows it by. */

import { Errno } from "../wasi/preview1/errno.ts";
import type { HostMemory } from "./host-memory.ts";

/** What a lock or an empty channel takes, about. */
const OBJECT_BYTES = 1024;

/** The largest number that is positive to the guest. */
const LAST_HANDLE = 0x7fff_ffff;

export class Objects {
  readonly #objects = new Map<number, object>();
  readonly #memory: HostMemory;
  #last = 0;

  constructor(memory: HostMemory) {
    this.#memory = memory;
  }

  /**
   * A number that has belonged to nothing before: what was freed is not mistaken for something else.
   *
   * @throws {Errno} `EAGAIN` when there are too many
   */
  add(make: (handle: number) => object): number {
    if (this.#last === LAST_HANDLE) throw new Errno("EAGAIN");
    this.#memory.take(OBJECT_BYTES);
    const handle = ++this.#last;
    this.#objects.set(handle, make(handle));
    return handle;
  }

  /** @throws {Errno} `EINVAL` when it is none of these */
  get<Value extends object>(handle: number, kind: abstract new (...args: never[]) => Value): Value {
    const found = this.#objects.get(handle);
    if (found instanceof kind) return found;
    throw new Errno("EINVAL");
  }

  delete(handle: number): void {
    if (this.#objects.delete(handle)) this.#memory.add(-OBJECT_BYTES);
  }
}
