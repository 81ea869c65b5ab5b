/** Random bytes. */

export interface Random {
  /** Fills all of `bytes`. */
  fill(bytes: Uint8Array<ArrayBuffer>): void;
}

/** What `getRandomValues` gives at most in one call. */
const MAX_BYTES = 65_536;

/** The platform's source, which is fit for keys. */
export const systemRandom: Random = {
  fill(bytes) {
    for (let start = 0; start < bytes.length; start += MAX_BYTES) {
      crypto.getRandomValues(bytes.subarray(start, start + MAX_BYTES));
    }
  },
};
