/** What a guest has made, by the numbers that it knows it by. */

import { Errno } from "../wasi/preview1/errno.ts";

/** The largest number that is positive to the guest. */
const LAST_HANDLE = 0x7fff_ffff;

export class Objects {
  readonly #objects = new Map<number, object>();
  #last = 0;

  /** A number that has belonged to nothing before: what was freed is not mistaken for something else. */
  add(make: (handle: number) => object): number {
    if (this.#last === LAST_HANDLE) throw new Errno("EAGAIN");
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
    this.#objects.delete(handle);
  }
}
