/**
 * What a host and the program that runs its scripts send each other: values as text, with buffers beside it.
 *
 *     | u32 bytes that follow | u32 strand | u32 buffers | u32 bytes of each buffer … | buffers … | text, in UTF-8 |
 *
 * Numbers are little-endian. The text is a letter, a number or nothing, a comma, and a value as wire.ts writes it: what the letters mean is
 * said in {@link ORDERS} and {@link REPORTS}.
 */

import { HostError } from "../../wasi/host/host-error.ts";
import type { WireValue } from "../wire.ts";

/** What the host sends. */
export const ORDERS = {
  /** `[source, fileName]`: to be evaluated. */
  evaluate: "e",
  /** `[path, args]`: a global function to be called, as `[id, args]` one that the host has. */
  call: "n",
  callFunction: "i",
  /** What a function of the host has answered, or thrown. */
  value: "v",
  error: "x",
  /** In place of an answer: the script has to end. */
  stop: "p",
  /** These may come before any other: `[path, function]`, a global one; `id` of a function that the host has no use for any more. */
  define: "d",
  release: "g",
  /** `number`: another strand is wanted. */
  start: "s",
} as const;

/** What the program sends. */
export const REPORTS = {
  /** `id`, `args`: a function of the host is called. */
  call: "c",
  /** `[name]`: the text of a module is wanted. */
  module: "m",
  /** The script asks whether to go on. */
  tick: "t",
  /** `[seconds]`: it wants to go on later. */
  sleep: "w",
  /** How it has ended. */
  result: "r",
  failure: "x",
  /** `id`: the script has no use for that function or error of the host any more. */
  release: "g",
  /** `address`: the program is ready; what it is to be interrupted with. */
  ready: "a",
} as const;

export interface Frame {
  readonly kind: string;
  /** Who says it, where several share a channel. */
  readonly strand: number;
  readonly number: number;
  readonly value: WireValue;
}

const WORD = 4;
const HEAD = 3 * WORD;
/** No text of a value is longer in JavaScript. What else a script writes to the channel, as text, begins with more. */
const MAX_BYTES = 2 ** 29;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

export const EMPTY: WireValue = { text: "null", buffers: [] };

export function encodeFrame(kind: string, value: WireValue = EMPTY, number?: number): Uint8Array<ArrayBuffer> {
  const { buffers } = value;
  const text = ENCODER.encode(`${kind}${number ?? ""},${value.text}`);
  const head = HEAD + WORD * buffers.length;
  const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, head + text.length);
  const frame = new Uint8Array(bytes);
  const view = new DataView(frame.buffer);
  view.setUint32(0, bytes - WORD, true);
  view.setUint32(2 * WORD, buffers.length, true);
  let at = head;
  for (const [index, buffer] of buffers.entries()) {
    view.setUint32(HEAD + WORD * index, buffer.length, true);
    frame.set(buffer, at);
    at += buffer.length;
  }
  frame.set(text, at);
  return frame;
}

/** The same frame for another strand. */
export function addressFrame(frame: Uint8Array, strand: number): Uint8Array {
  const copy = frame.slice();
  new DataView(copy.buffer).setUint32(WORD, strand, true);
  return copy;
}

/** Takes frames out of bytes that come in pieces. */
export class FrameReader {
  #bytes = new Uint8Array(0);

  /** The frames that are complete now. @throws {HostError} when it is none: whoever has written it is told so, and others can go on */
  *read(piece: Uint8Array): Generator<Frame> {
    let bytes = piece;
    if (this.#bytes.length > 0) {
      bytes = new Uint8Array(this.#bytes.length + piece.length);
      bytes.set(this.#bytes);
      bytes.set(piece, this.#bytes.length);
    }
    let at = 0;
    while (bytes.length - at >= WORD) {
      const length = readWord(bytes, at);
      if (length > MAX_BYTES) throw new HostError("EINVAL");
      const end = at + WORD + length;
      if (end > bytes.length) break;
      yield decodeFrame(bytes.subarray(at + WORD, end));
      at = end;
    }
    this.#bytes = bytes.slice(at);
  }
}

/** `bytes`: without the first word. */
function decodeFrame(bytes: Uint8Array): Frame {
  const count = readWord(bytes, WORD);
  const sizes = 2 * WORD;
  const buffers: Uint8Array[] = [];
  let at = sizes + WORD * count;
  if (at > bytes.length) throw new HostError("EINVAL");
  for (let index = 0; index < count; index++) {
    const length = readWord(bytes, sizes + WORD * index);
    buffers.push(bytes.slice(at, at + length));
    at += length;
  }
  if (at >= bytes.length) throw new HostError("EINVAL");
  const text = DECODER.decode(bytes.subarray(at));
  const comma = text.indexOf(",");
  const value = { text: text.slice(comma + 1), buffers };
  return { kind: text[0]!, strand: readWord(bytes, 0), number: Number(text.slice(1, comma)), value };
}

function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
