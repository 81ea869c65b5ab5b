/** Values on their way to a program, and functions of its scripts that the host has no use for any more. */

import type { HostReferences } from "../host-references.ts";
import { encodeWire } from "../wire.ts";
import type { WireTarget } from "../wire.ts";
import { encodeFrame } from "./frame.ts";

/** What is written, and waits for the turn of a script. One of both is called, once. */
export interface Order {
  /** It is sent now. */
  take(): Uint8Array;
  /** It is not going to be sent: nobody will give back what is in it. */
  drop(): void;
}

/**
 * The program is told of a function when it has got all that was written before: a call of it, or a value that it is in, may still wait for its
 * turn.
 */
export class Orders {
  readonly #references: HostReferences;
  readonly #target: WireTarget;
  readonly #tell: (id: number) => void;
  /** What is written and not sent, by numbers that count up. */
  readonly #unsent = new Set<number>();
  #written = 0;
  /** Each with how much was written before. */
  readonly #released: { readonly id: number; readonly written: number }[] = [];

  constructor(references: HostReferences, target: WireTarget, tell: (id: number) => void) {
    this.#references = references;
    this.#target = target;
    this.#tell = tell;
  }

  /** @throws {TypeError} when something in it cannot cross */
  write(kind: string, value: unknown): Order {
    const kept: number[] = [];
    const keep = (reference: unknown): number => {
      const id = this.#references.keep(reference);
      kept.push(id);
      return id;
    };
    const giveUp = (): void => {
      for (const id of kept) this.#references.release(id);
    };
    let frame: Uint8Array;
    try {
      frame = encodeFrame(kind, encodeWire(value, { ...this.#target, keepFunction: keep, keepError: keep }));
    } catch (error) {
      giveUp();
      throw error;
    }
    const number = this.#written++;
    this.#unsent.add(number);
    const isGone = (): void => {
      this.#unsent.delete(number);
      this.#flush();
    };
    return {
      take: () => {
        isGone();
        return frame;
      },
      drop: () => {
        giveUp();
        isGone();
      },
    };
  }

  release(id: number): void {
    this.#released.push({ id, written: this.#written });
    this.#flush();
  }

  #flush(): void {
    const [oldest = Infinity] = this.#unsent;
    let count = 0;
    for (const { id, written } of this.#released) {
      if (written > oldest) break;
      this.#tell(id);
      count++;
    }
    this.#released.splice(0, count);
  }
}
