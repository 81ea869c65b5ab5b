import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ModuleBuilder } from "#src/binary/builder";
import { emitCode } from "#src/binary/code";
import type { Code } from "#src/binary/code";
import { decodeModule } from "#src/binary/decode-module";
import { InstructionReader } from "#src/binary/instructions";
import { functionBody } from "#src/binary/module";
import { opcode, opcodeName } from "#src/binary/opcodes";
import { EXTERNREF, I32, I64 } from "#src/binary/value-types";

function readerOf(emit: (code: Code) => void): InstructionReader {
  const code = emitCode();
  emit(code);
  code.writer.u8(opcode("end"));
  const bytes = code.writer.toBytes();
  const reader = new InstructionReader(bytes);
  reader.enterExpression(0, bytes.length);
  return reader;
}

function namesOf(reader: InstructionReader): string[] {
  const names: string[] = [];
  while (reader.next()) names.push(opcodeName(reader.opcode));
  return names;
}

function bodyOf(...bytes: number[]): InstructionReader {
  const reader = new InstructionReader(Uint8Array.from(bytes));
  reader.enterBody(0, bytes.length);
  return reader;
}

describe("InstructionReader", () => {
  it("steps through a body behind its locals", () => {
    const module = new ModuleBuilder();
    const run = module.addFunction({ params: [I32], results: [] });
    run.local(I64);
    run.local(I64);
    run.local(EXTERNREF);
    run.code.localGet(0).i32Const(100_000).i32Add().drop();
    const decoded = decodeModule(module.build());
    const reader = new InstructionReader(decoded.bytes);
    const { start, end } = functionBody(decoded, 0);
    reader.enterBody(start, end);
    assert.deepEqual(reader.locals(), [
      { count: 2, type: I64 },
      { count: 1, type: EXTERNREF },
    ]);
    assert.deepEqual(namesOf(reader), ["local.get", "i32.const", "i32.add", "drop", "end"]);
    assert.equal(reader.position, end);
    assert.equal(reader.next(), false);
  });

  it("says where an instruction and its immediates are", () => {
    const reader = readerOf((code) => code.nop().call(300).callIndirect(5, 1).memoryFill());
    reader.next();
    reader.next();
    assert.deepEqual([reader.start, reader.immediates, reader.position, reader.index()], [1, 2, 4, 300]);
    reader.next();
    assert.deepEqual([reader.start, reader.immediates, reader.position, reader.index()], [4, 5, 7, 5]);
    reader.next();
    assert.deepEqual([reader.start, reader.immediates, reader.position, reader.index()], [7, 9, 10, 0]);
    assert.equal(opcodeName(reader.opcode), "memory.fill");
  });

  it("counts open constructs", () => {
    const reader = readerOf((code) => {
      code
        .block()
        .loop()
        .if()
        .else()
        .end()
        .end()
        .try()
        .catchAll()
        .end()
        .try()
        .delegate(0)
        .tryTable(undefined, [])
        .end()
        .end();
    });
    const depths: number[] = [];
    while (reader.next()) depths.push(reader.depth);
    assert.deepEqual(depths, [2, 3, 4, 4, 3, 2, 3, 3, 2, 3, 2, 3, 2, 1, 0]);
  });

  it("finds an idiom: how LLVM moves the stack pointer", () => {
    const [get, constant, subtract, tee] = (["global.get", "i32.const", "i32.sub", "local.tee"] as const).map(opcode);
    const reader = readerOf((code) => code.globalGet(3).drop().globalGet(7).i32Const(16).i32Sub().localTee(0).drop());
    const idiom = [get, constant, subtract, tee];
    let matched = 0;
    let candidate = -1;
    while (matched < idiom.length && reader.next()) {
      matched = reader.opcode === idiom[matched] ? matched + 1 : 0;
      if (reader.opcode === get) candidate = reader.index();
    }
    assert.equal(candidate, 7);
    assert.equal(matched, 4);
  });

  it("passes through 100,000 nested constructs", () => {
    const depth = 100_000;
    const reader = readerOf((code) => {
      for (let level = 0; level < depth; level++) code.block();
      for (let level = 0; level < depth; level++) code.end();
    });
    assert.equal(namesOf(reader).length, 2 * depth + 1);
  });

  it("moves over constant expressions", () => {
    const reader = readerOf((code) => code.globalGet(0).i32Const(4).i32Add());
    assert.deepEqual(reader.skipExpression(), { start: 0, end: 6 });
  });

  it("refuses what is no instruction", () => {
    const expected = { name: "CompileError", message: /at offset 1: expected an instruction, received/ };
    assert.throws(() => namesOf(bodyOf(0, 0x27, 0x0b)), expected);
    assert.throws(() => namesOf(bodyOf(0, 0xff, 0x00, 0x0b)), expected);
    assert.throws(() => namesOf(bodyOf(0, 0xfd, 0x9a, 0x01, 0x0b)), expected);
    assert.throws(() => namesOf(bodyOf(0, 0xfc, 0xff, 0x7f, 0x0b)), expected);
  });

  it("refuses bodies that end too early or too late", () => {
    assert.throws(() => namesOf(bodyOf(0, 0x01)), {
      name: "CompileError",
      message: /an instruction, but the code ends/,
    });
    assert.throws(() => namesOf(bodyOf(0, 0x41, 0x80)), { name: "CompileError", message: /immediates of i32.const/ });
    assert.throws(() => namesOf(bodyOf(0, 0x0b, 0x01)), {
      name: "CompileError",
      message: /the end of the function body/,
    });
    assert.throws(() => namesOf(bodyOf(0, 0x02, 0x40, 0x0b)), WebAssembly.CompileError);
  });

  it("refuses vectors and integers that are too long", () => {
    assert.throws(() => namesOf(bodyOf(0, 0x0e, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x0b)), WebAssembly.CompileError);
    assert.throws(() => namesOf(bodyOf(0, 0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x0b)), WebAssembly.CompileError);
    assert.throws(() => bodyOf(0xff, 0xff, 0xff, 0xff, 0x0f), WebAssembly.CompileError);
    assert.throws(
      () => bodyOf(2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 1, 0x7f, 0x0b).locals(),
      WebAssembly.CompileError,
    );
  });
});
