import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { emitCode } from "#src/binary/code";
import type { Code } from "#src/binary/code";
import { InstructionReader } from "#src/binary/instructions";
import { OPCODES } from "#src/binary/opcodes";
import type { Immediate } from "#src/binary/opcodes";
import { ANYREF, I32, I64, referenceType } from "#src/binary/value-types";

const LARGE_INDEX = 300;

/** One argument for each immediate, with more than one byte where possible. */
const ARGUMENTS: { readonly [Name in Immediate]?: unknown } = {
  i32: -123_456,
  i64: -(2n ** 60n),
  f32: 1.5,
  f64: -2.5,
  v128: new Uint8Array(16).fill(0xff),
  lanes: Array<number>(16).fill(0xff),
  lane: 15,
  heap: 5000,
  blocktype: referenceType(true, LARGE_INDEX),
  memarg1: { offset: 2n ** 40n, align: 1, memory: LARGE_INDEX },
  memarg2: 70_000,
  cast: { label: 1, from: ANYREF, to: referenceType(false, LARGE_INDEX) },
  "label*": [1, LARGE_INDEX, 0],
  "type*": [I32, referenceType(false, LARGE_INDEX)],
  "catch*": [
    ["catch", LARGE_INDEX, 1],
    ["catch_ref", 1, LARGE_INDEX],
    ["catch_all", 0],
    ["catch_all_ref", LARGE_INDEX],
  ],
  "handler*": [
    ["on", LARGE_INDEX, 1],
    ["on_switch", LARGE_INDEX],
  ],
};

function argumentFor(immediate: Immediate): unknown {
  if (immediate in ARGUMENTS) return ARGUMENTS[immediate];
  const mayBeOmitted = /^(memarg|memory|table)/.test(immediate);
  return mayBeOmitted ? undefined : LARGE_INDEX;
}

function hex(code: Code): string {
  return Buffer.from(code.writer.view()).toString("hex");
}

describe("emitCode()", () => {
  it("emits each instruction of the table so that InstructionReader finds its end", () => {
    for (const opcode of OPCODES) {
      if (!opcode) continue;
      const code = emitCode().block();
      const method = opcode.name.replace(/[._](.)/g, (_, letter: string) => letter.toUpperCase());
      const given = opcode.immediates.map((immediate) => argumentFor(immediate));
      (code as unknown as Record<string, (...immediates: unknown[]) => void>)[method]!(...given);

      const bytes = code.nop().writer.toBytes();
      const reader = new InstructionReader(bytes);
      reader.enterExpression(0, bytes.length);
      assert.ok(reader.next());
      assert.ok(reader.next(), opcode.name);
      assert.equal(reader.opcode, opcode.number);
      assert.equal(reader.position, bytes.length - 1, opcode.name);
    }
  });

  it("reads like the text format", () => {
    const code = emitCode().localGet(0).i32Load(8).i32Const(-1).i32Add().localTee(1).drop();
    assert.equal(hex(code), "2000" + "280208" + "417f" + "6a" + "2201" + "1a");
  });

  it("aligns accesses by their size unless told otherwise", () => {
    assert.equal(hex(emitCode().i64Load()), "290300");
    assert.equal(hex(emitCode().i64Load8U({ offset: 1 })), "310001");
    assert.equal(hex(emitCode().i64Load({ align: 1, memory: 2 })), "29400200");
    assert.throws(() => emitCode().i64Load({ align: 3 }), RangeError);
  });

  it("types constructs by nothing, a value type or a type index", () => {
    assert.equal(hex(emitCode().block().end()), "02400b");
    assert.equal(hex(emitCode().loop(I64).end()), "037e0b");
    assert.equal(hex(emitCode().if({ type: 64 }).end()), "04c0000b");
  });

  it("turns labels into distances", () => {
    const code = emitCode().block();
    const outer = code.label();
    code.loop();
    const inner = code.label();
    code.block().brIf(inner).brTable([inner, outer, 0]).end();
    code.br(outer).end();
    code.br(outer).end();
    assert.equal(hex(code), "0240" + "0340" + "0240" + "0d01" + "0e02010200" + "0b" + "0c01" + "0b" + "0c00" + "0b");
    assert.throws(() => code.br(inner), { name: "RangeError", message: /a construct that is closed/ });
    assert.throws(() => code.block().br(outer), { name: "RangeError", message: /a construct that is closed/ });
  });

  it("counts labels of try_table and delegate from outside", () => {
    const code = emitCode().block();
    const handler = code.label();
    code.tryTable(undefined, [["catch_all", handler]]).end();
    code.try().delegate(handler).end();
    assert.equal(hex(code), "0240" + "1f40010200" + "0b" + "0640" + "1800" + "0b");
  });

  it("refuses an end without a construct", () => {
    assert.throws(() => emitCode().block().end().end(), { name: "RangeError", message: /none is open/ });
  });
});
