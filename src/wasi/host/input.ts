/** Whatever bytes can be read from, as an {@link InputStream}. */

import type { InputStream } from "./stream.ts";
import { isEventReadable, readEventReadable } from "./event-streams.ts";
import type { EventReadable } from "./event-streams.ts";

/** A piece of what is read; text is read as UTF-8. */
export type Chunk = Uint8Array | ArrayBuffer | string;

/**
 * What a program may read from: text or bytes, a `Blob` (a file that the user has chosen is one), a web `ReadableStream`, a `Readable` of
 * Node, anything that can be iterated over (an array of lines, a generator, also an asynchronous one), or a stream of one's own.
 *
 * It belongs to the program from then on: closed, cancelled or left when the program ends.
 */
export type InputSource =
  | Chunk
  | Blob
  | ReadableStream<Chunk>
  | EventReadable
  | Iterable<Chunk>
  | AsyncIterable<Chunk>
  | InputStream;

const encoder = new TextEncoder();

/** @throws {TypeError} when it is nothing of that kind */
export function inputFrom(source: InputSource): InputStream {
  const bytes = tryBytesOf(source);
  if (bytes !== undefined) return inputOfBytes(bytes);
  if (typeof source !== "object" || source === null) throw mistake(source);
  if (isBlob(source)) return readWebStream(source.stream());
  if (isEventReadable(source)) return readEventReadable(source);
  if ("getReader" in source && typeof source.getReader === "function") return readWebStream(source);
  if ("read" in source && typeof source.read === "function") return source;
  if (Symbol.asyncIterator in source) return readAsync(source[Symbol.asyncIterator]());
  if (Symbol.iterator in source) return readAtOnce((source as Iterable<Chunk>)[Symbol.iterator]());
  throw mistake(source);
}

/** Nothing, at once. */
export const emptyInput: InputStream = { read: () => null };

function inputOfBytes(bytes: Uint8Array): InputStream {
  let rest: Uint8Array | null = bytes.length === 0 ? null : bytes;
  return {
    read() {
      const chunk = rest;
      rest = null;
      return chunk;
    },
  };
}

function readAtOnce(iterator: Iterator<Chunk>): InputStream {
  return {
    read() {
      const step = iterator.next();
      return step.done === true ? null : bytesOf(step.value);
    },
    close: () => void iterator.return?.(),
  };
}

function readAsync(iterator: AsyncIterator<Chunk>): InputStream {
  return {
    async read() {
      const step = await iterator.next();
      return step.done === true ? null : bytesOf(step.value);
    },
    // A generator that waits for something ends when that has come: nobody waits for it.
    close: () => ignore(iterator.return?.()),
  };
}

function readWebStream(stream: ReadableStream<Chunk>): InputStream {
  const reader = stream.getReader();
  return {
    async read() {
      const { done, value } = await reader.read();
      return done ? null : bytesOf(value);
    },
    close: () => ignore(reader.cancel()),
  };
}

function ignore(promise: PromiseLike<unknown> | undefined): void {
  promise?.then(undefined, () => {});
}

/** @throws {TypeError} when it is neither bytes nor text */
function bytesOf(chunk: Chunk): Uint8Array {
  const bytes = tryBytesOf(chunk);
  if (bytes === undefined) throw new TypeError(`Cannot read input: expected bytes or text, received ${typeof chunk}`);
  return bytes;
}

function tryBytesOf(chunk: unknown): Uint8Array | undefined {
  if (typeof chunk === "string") return encoder.encode(chunk);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (chunk instanceof Uint8Array) return chunk;
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  return undefined;
}

function isBlob(source: object): source is Blob {
  return typeof Blob === "function" && source instanceof Blob;
}

function mistake(source: unknown): TypeError {
  return new TypeError(
    `Cannot make input: expected text, bytes, a Blob, a stream or something iterable, received ${source === null ? "null" : typeof source}`,
  );
}
