/** How much of the host's memory guests take for what is not in their own. */

import { Errno } from "../wasi/preview1/errno.ts";

export class HostMemory {
  readonly #maxBytes: number;
  #used = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws {Errno} `EAGAIN` when there is no room for so many more */
  take(bytes: number): void {
    if (this.#used + bytes > this.#maxBytes) throw new Errno("EAGAIN");
    this.#used += bytes;
  }

  /** Notes that so many more are in use, or fewer. */
  add(bytes: number): void {
    this.#used += bytes;
  }
}

/** What one call takes, until it has ended. */
export class Loan {
  readonly #memory: HostMemory;
  #bytes = 0;

  constructor(memory: HostMemory) {
    this.#memory = memory;
  }

  /** @throws {Errno} `EAGAIN` when there is no room for so many more */
  take(bytes: number): void {
    this.#memory.take(bytes);
    this.#bytes += bytes;
  }

  /** Does nothing the second time. */
  end(): void {
    this.#memory.add(-this.#bytes);
    this.#bytes = 0;
  }
}
