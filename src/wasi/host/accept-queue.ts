/** Those who have come and were not accepted yet, and those who wait for one to come. */

import { HostError } from "./host-error.ts";

/** First come, first served, on both sides; one of them is always empty. */
export class AcceptQueue<Newcomer> {
  readonly #newcomers: Newcomer[] = [];
  readonly #acceptors = new Set<(newcomer: Newcomer | undefined) => void>();
  #isClosed = false;

  /** How many were not accepted yet. */
  get length(): number {
    return this.#newcomers.length;
  }

  add(newcomer: Newcomer): void {
    for (const accept of this.#acceptors) {
      this.#acceptors.delete(accept);
      accept(newcomer);
      return;
    }
    this.#newcomers.push(newcomer);
  }

  /** The next one. Rejects when `signal` aborts: nobody is lost then. */
  accept(signal: AbortSignal | undefined): Newcomer | Promise<Newcomer> {
    const first = this.#newcomers.shift();
    if (first !== undefined) return first;
    if (this.#isClosed) throw new HostError("EINVAL");
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const stop = (): void => {
        this.#acceptors.delete(accept);
        reject(signal?.reason as Error);
      };
      const accept = (newcomer: Newcomer | undefined): void => {
        signal?.removeEventListener("abort", stop);
        // POSIX: what accept() says of a socket that does not listen.
        if (newcomer === undefined) reject(new HostError("EINVAL"));
        else resolve(newcomer);
      };
      this.#acceptors.add(accept);
      signal?.addEventListener("abort", stop);
    });
  }

  /** @returns those who were not accepted */
  close(): readonly Newcomer[] {
    this.#isClosed = true;
    for (const accept of this.#acceptors) accept(undefined);
    this.#acceptors.clear();
    return this.#newcomers.splice(0);
  }
}
