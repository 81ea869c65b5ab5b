/** Frames: what a program and its host send each other, also in pieces. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FrameReader, addressFrame, encodeFrame } from "#src/script/program/frame";
import type { Frame } from "#src/script/program/frame";

const FRAMES = [
  addressFrame(encodeFrame("e", { text: '["1 + 1, ж"]', buffers: [] }), 3),
  encodeFrame("v", {
    text: '[{"$":["b",0]},{"$":["b",1]}]',
    buffers: [new Uint8Array(), new Uint8Array([0, 255, 44])],
  }),
  encodeFrame("g", undefined, 4_000_000_000),
];
const READ: readonly Frame[] = [
  { kind: "e", strand: 3, number: 0, value: { text: '["1 + 1, ж"]', buffers: [] } },
  {
    kind: "v",
    strand: 0,
    number: 0,
    value: { text: '[{"$":["b",0]},{"$":["b",1]}]', buffers: [new Uint8Array(), new Uint8Array([0, 255, 44])] },
  },
  { kind: "g", strand: 0, number: 4_000_000_000, value: { text: "null", buffers: [] } },
];

describe("FrameReader.read()", () => {
  const bytes = new Uint8Array(FRAMES.flatMap((frame) => [...frame]));

  it("takes apart what comes at once", () => {
    assert.deepEqual([...new FrameReader().read(bytes)], READ);
  });

  it("waits for what is not complete, wherever it was cut", () => {
    for (let size = 1; size < bytes.length; size++) {
      const reader = new FrameReader();
      const frames: Frame[] = [];
      for (let at = 0; at < bytes.length; at += size) frames.push(...reader.read(bytes.subarray(at, at + size)));
      assert.deepEqual(frames, READ, `in pieces of ${size} bytes`);
    }
  });

  it("gives buffers that are not those of the piece", () => {
    const piece = FRAMES[1]!.slice();
    const [frame] = [...new FrameReader().read(piece)];
    piece.fill(0);
    assert.deepEqual(frame!.value.buffers[1], new Uint8Array([0, 255, 44]));
  });
});
