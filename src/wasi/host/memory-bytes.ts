/** The content of a file in memory, in pieces: growing copies nothing but a small file, and what was never written takes no room. */

import { HostError } from "./host-error.ts";

/** Bytes of a piece. The first one begins smaller and grows to that. */
const PIECE_BYTES = 1 << 20;
const FIRST_BYTES = 256;

export class MemoryBytes {
  /** `undefined`, or shorter than {@link PIECE_BYTES}: zeros from there on. Behind {@link MemoryBytes.size} there are only zeros, too. */
  readonly #pieces: (Uint8Array<ArrayBuffer> | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Cuts off, or adds zeros. */
  resize(size: number): void {
    if (size < this.#size) this.#cut(size);
    this.#size = size;
  }

  #cut(size: number): void {
    const kept = Math.ceil(size / PIECE_BYTES);
    this.#pieces.length = Math.min(this.#pieces.length, kept);
    const last = this.#pieces.length === kept ? this.#pieces[kept - 1] : undefined;
    if (last === undefined) return;
    const used = size - (kept - 1) * PIECE_BYTES;
    // What is cut off must not come back when the file grows again; nor take much room, for which nobody is charged any more.
    if (last.length > used * 2 + FIRST_BYTES) this.#pieces[kept - 1] = last.slice(0, used);
    else last.fill(0, used);
  }

  /** Fills `target` with what is at `position`. @returns bytes; fewer only at the end */
  read(target: Uint8Array, position: number): number {
    const length = Math.min(target.length, Math.max(this.#size - position, 0));
    for (let done = 0; done < length;) {
      const start = (position + done) % PIECE_BYTES;
      const wanted = Math.min(PIECE_BYTES - start, length - done);
      const part = this.#pieces[Math.floor((position + done) / PIECE_BYTES)]?.subarray(start, start + wanted);
      const found = part?.length ?? 0;
      if (part !== undefined) target.set(part, done);
      if (found < wanted) target.fill(0, done + found, done + wanted);
      done += wanted;
    }
    return length;
  }

  /** Bytes of the host's memory that it takes. */
  get allocatedBytes(): number {
    return this.#pieces.reduce((sum, piece) => sum + (piece?.length ?? 0), 0);
  }

  /** Writes all of `source`, which is within the size. @throws {HostError} `ENOSPC` where the engine has no more memory */
  write(source: Uint8Array, position: number): void {
    for (let done = 0; done < source.length;) {
      const start = (position + done) % PIECE_BYTES;
      const part = source.subarray(done, done + PIECE_BYTES - start);
      this.#piece(Math.floor((position + done) / PIECE_BYTES), start + part.length).set(part, start);
      done += part.length;
    }
  }

  /** A piece that has at least so many bytes. */
  #piece(index: number, bytes: number): Uint8Array<ArrayBuffer> {
    const found = this.#pieces[index];
    if (found !== undefined && found.length >= bytes) return found;
    while (this.#pieces.length < index) this.#pieces.push(undefined);
    const isSmall = this.#size <= PIECE_BYTES;
    const piece = allocate(isSmall ? Math.min(Math.max(bytes * 2, FIRST_BYTES), PIECE_BYTES) : PIECE_BYTES);
    if (found !== undefined) piece.set(found);
    this.#pieces[index] = piece;
    return piece;
  }

  /** A copy of it all. */
  copy(): Uint8Array<ArrayBuffer> {
    const bytes = allocate(this.#size);
    this.read(bytes, 0);
    return bytes;
  }
}

function allocate(bytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch (error) {
    throw new HostError("ENOSPC", "There is no more memory", { cause: error });
  }
}
