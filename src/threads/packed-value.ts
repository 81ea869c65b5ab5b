/** Values in ordinary messages: written like those in shared memory, so that errors keep what clones of the platform leave out. */

import { decodeValue } from "./value-decoder.ts";
import { NotEncodable, encodeValue } from "./value-encoder.ts";
import type { EncoderRoom } from "./value-encoder.ts";
import { copyToMove, readLargeValue } from "./large-value.ts";
import { requireAttached, takeTransfers } from "./transfer.ts";

/** One of the two. */
export interface PackedValue {
  readonly bytes?: ArrayBuffer;
  readonly value?: unknown;
}

const FIRST_BYTES = 256;

export function packValue(value: unknown): PackedValue {
  let room = roomIn(new ArrayBuffer(FIRST_BYTES));
  try {
    const length = encodeValue(value, room, (needed, used) => {
      const larger = roomIn(new ArrayBuffer(2 * needed));
      larger.bytes.set(room.bytes.subarray(0, used));
      return (room = larger);
    });
    return { bytes: room.bytes.buffer.slice(0, length) };
  } catch (error) {
    // The platform knows more kinds of values.
    if (error instanceof NotEncodable) return { value };
    throw error;
  }
}

/** The same, with what is to be moved along. */
export function packToMove(
  value: unknown,
  isList: boolean,
): { packed: PackedValue; transfer: readonly Transferable[] } {
  const transfer = takeTransfers(value, isList);
  requireAttached(transfer);
  if (transfer.length > 0) return { packed: { value }, transfer };
  const large = readLargeValue(value, isList);
  if (large === undefined) return { packed: packValue(value), transfer };
  const copy = copyToMove(large);
  return { packed: { value: copy.value }, transfer: copy.transfer };
}

export function unpackValue(packed: PackedValue): unknown {
  return packed.bytes === undefined ? packed.value : decodeValue(roomIn(packed.bytes));
}

function roomIn(buffer: ArrayBuffer): EncoderRoom & { readonly bytes: Uint8Array<ArrayBuffer> } {
  return { bytes: new Uint8Array(buffer), view: new DataView(buffer) };
}
