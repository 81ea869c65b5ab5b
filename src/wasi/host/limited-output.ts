/** Streams that take a limited number of bytes altogether. */

import { HostError } from "./host-error.ts";
import type { OutputStream } from "./stream.ts";

/** What may still be written, for all streams that share it. */
export class OutputBudget {
  #left: number;

  /** @throws {RangeError} when `bytes` is not a number from 0 */
  constructor(bytes: number) {
    if (!(bytes >= 0)) {
      throw new RangeError(`Cannot limit output: maxOutputBytes must be a number from 0, received ${String(bytes)}`);
    }
    this.#left = bytes;
  }

  /** Whether there is room for all of them. */
  has(bytes: number): boolean {
    return bytes <= this.#left;
  }

  spend(bytes: number): void {
    this.#left -= bytes;
  }
}

/** `stream`, until there is no room for all that is to be written: then `EFBIG`, as for a file that may not become larger. */
export function limitOutput(stream: OutputStream, budget: OutputBudget): OutputStream {
  return {
    ...(stream.kind !== undefined && { kind: stream.kind }),
    write(bytes) {
      if (!budget.has(bytes.length)) throw new HostError("EFBIG", "The limit of the program's output is reached");
      budget.spend(bytes.length);
      return stream.write(bytes);
    },
    ...(stream.writeNow && {
      writeNow(buffers) {
        const total = buffers.reduce((sum, { length }) => sum + length, 0);
        // write() is given them then, and says what is wrong.
        if (!budget.has(total)) return 0;
        const taken = stream.writeNow!(buffers);
        budget.spend(taken);
        return taken;
      },
    }),
    close: () => stream.close?.(),
  };
}
