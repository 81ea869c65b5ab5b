/** Who is told what a guest waits for. */

/** Who waits for something, and is told once how it came. */
export interface Waiter {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

/** Tells a waiter once, of several who might. */
export class Once implements Waiter {
  #waiter: Waiter | undefined;

  constructor(waiter: Waiter) {
    this.#waiter = waiter;
  }

  resolve(value: unknown): void {
    this.#take()?.resolve(value);
  }

  reject(reason: unknown): void {
    this.#take()?.reject(reason);
  }

  #take(): Waiter | undefined {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    return waiter;
  }
}
