/**
 * Functions of scripts that the host has no use for any more. The program is told of one when it has got all that was written before: a call
 * of it, or a value that it is in, may still wait for its turn.
 */
export class Releases {
  readonly #tell: (id: number) => void;
  /** What is written and not sent, by numbers that count up. */
  readonly #unsent = new Set<number>();
  #written = 0;
  /** Each with how much was written before. */
  readonly #released: { readonly id: number; readonly written: number }[] = [];

  constructor(tell: (id: number) => void) {
    this.#tell = tell;
  }

  /** `frame`, to be taken when it is sent. To be called as soon as it is written. */
  hold(frame: Uint8Array): () => Uint8Array {
    const number = this.#written++;
    this.#unsent.add(number);
    return () => {
      this.#unsent.delete(number);
      this.#flush();
      return frame;
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
