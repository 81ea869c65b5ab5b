/** Whatever takes bytes, as an {@link OutputStream}. */

import { isEventWritable, writeEventWritable } from "./event-streams.ts";
import type { EventWritable } from "./event-streams.ts";
import type { OutputStream } from "./stream.ts";

/**
 * What a program may write to: a function that is called with all that it writes, piece by piece (the program waits for the promise that
 * it returns); an array that the pieces are added to; a web `WritableStream`, a `Writable` of Node, or a stream of one's own.
 *
 * A stream belongs to the program from then on: it is closed when the program ends.
 */
export type OutputTarget =
  | ((bytes: Uint8Array<ArrayBuffer>) => void | Promise<void>)
  | Uint8Array[]
  | WritableStream<Uint8Array>
  | EventWritable
  | OutputStream;

/** @throws {TypeError} when it is nothing of that kind */
export function outputTo(target: OutputTarget): OutputStream {
  if (typeof target === "function") return { write: target };
  if (Array.isArray(target)) return { write: (bytes) => void target.push(bytes) };
  if (typeof target === "object" && target !== null) {
    if ("getWriter" in target && typeof target.getWriter === "function") return writeWebStream(target);
    if (isEventWritable(target)) return writeEventWritable(target);
    if ("write" in target && typeof target.write === "function") return target;
  }
  throw new TypeError(`Cannot make output: expected a function, an array or a stream, received ${typeof target}`);
}

/** Takes everything, and does nothing with it. */
export const noOutput: OutputStream = { write: () => {}, writeNow: countBytes };

function countBytes(buffers: readonly Uint8Array[]): number {
  return buffers.reduce((sum, { length }) => sum + length, 0);
}

function writeWebStream(stream: WritableStream<Uint8Array>): OutputStream {
  const writer = stream.getWriter();
  // Whoever writes is told; so nobody need be told that nobody looks.
  writer.closed.catch(() => {});
  return {
    async write(bytes) {
      // Rejects when the stream has failed; and waits for those before it if they have filled it.
      await writer.ready;
      const written = writer.write(bytes);
      if ((writer.desiredSize ?? 0) > 0) written.catch(() => {});
      else await written;
    },
    close: () => writer.close(),
  };
}
