/**
 * Who waits where in one memory, if nobody outside of this library can wake them: a line for each address, first come, first served.
 *
 * A thread that is woken goes on in a microtask. Those that only wake each other give way to the event loop like tasks do.
 */

import { AtomicWait } from "./atomic-wait.ts";
import type { WaitLine, WaitLines } from "./atomic-wait.ts";
import type { WaitRequest, Waits } from "./waits.ts";
import { CALL_AGAIN, WOKEN } from "./waiting-functions.ts";

const NANOSECONDS_PER_MS = 1e6;

export class OwnWaits implements Waits, WaitLines {
  readonly #lines = new Map<number, WaitLine>();
  /** Those who only another thread can wake. */
  #endless = 0;
  /** Called when one more of them waits. */
  onEndless: (() => void) | undefined;
  /** Is told of each wait that begins, and what the engine says of the stack. */
  onWait: ((owner: unknown, address: number, stack: string) => void) | undefined;

  get endless(): number {
    return this.#endless;
  }

  wait({ address, owner, timeoutNs }: WaitRequest): AtomicWait {
    this.onWait?.(owner, address, stackText());
    const wait = new AtomicWait(this, { address, owner }, timeoutNs < 0 ? Infinity : timeoutNs / NANOSECONDS_PER_MS);
    this.#append(wait);
    if (wait.isEndless) {
      this.#endless++;
      this.onEndless?.();
    }
    return wait;
  }

  wake(address: number, count: number): number {
    const line = this.#lines.get(address);
    if (line === undefined) return 0;
    let woken = 0;
    for (let wait = line.first; wait !== undefined && woken < count; wait = line.first) {
      this.leave(wait);
      wait.end(WOKEN);
      woken++;
    }
    return woken;
  }

  wakeNext(address: number): void {
    this.wake(address, 1);
  }

  /** Has all who only another thread can wake call again, so that it can be seen where they are. */
  callAgain(): void {
    for (const wait of this.#all()) {
      if (!wait.isEndless) continue;
      this.leave(wait);
      wait.end(CALL_AGAIN);
    }
  }

  leave(wait: AtomicWait): void {
    const { line, next, previous } = wait;
    if (line === undefined) return;
    wait.line = undefined;
    if (previous === undefined) line.first = next;
    else previous.next = next;
    if (next === undefined) line.last = previous;
    else next.previous = previous;
    wait.next = undefined;
    wait.previous = undefined;
    if (line.first === undefined) this.#lines.delete(line.address);
    if (wait.isEndless) this.#endless--;
  }

  #append(wait: AtomicWait): void {
    const { address } = wait;
    let line = this.#lines.get(address);
    if (line === undefined) {
      line = { address, first: undefined, last: undefined };
      this.#lines.set(address, line);
    }
    wait.line = line;
    wait.previous = line.last;
    if (line.last === undefined) line.first = wait;
    else line.last.next = wait;
    line.last = wait;
  }

  #all(): AtomicWait[] {
    const all: AtomicWait[] = [];
    for (const { first } of this.#lines.values()) {
      for (let wait = first; wait !== undefined; wait = wait.next) all.push(wait);
    }
    return all;
  }
}

const SHOWN_FRAMES = 40;

function stackText(): string {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = SHOWN_FRAMES;
  const { stack = "" } = new Error("waits");
  Error.stackTraceLimit = stackTraceLimit;
  return stack;
}
