/** Compares the table of instructions with the engine, which checks the types, and with wabt, which knows the names. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import wabt from "wabt";
import { writeOpcode } from "#src/binary/code";
import { OPCODES, OPCODE_LIMIT, opcode, opcodeName, opcodeNumber } from "#src/binary/opcodes";
import type { Immediate, Opcode, StackType } from "#src/binary/opcodes";
import { SECTION } from "#src/binary/sections";
import {
  ANYREF,
  EXNREF,
  EXTERNREF,
  F32,
  F64,
  FUNCREF,
  I32,
  I64,
  V128,
  referenceType,
  writeValueType,
} from "#src/binary/value-types";
import type { ValueType } from "#src/binary/value-types";
import { Writer } from "#src/binary/writer";

/** Type indices of the module that {@link moduleWith} makes, whose memory, table, global and so on all have index 0. */
const TYPE = { func: 0, struct: 1, packedStruct: 2, array: 3, packedArray: 4, arrayOfFunctions: 5, tested: 6 };

const HEAP_ANY = -18;
const HEAP_I31 = -20;

/** No engine has these yet, so nothing can check them. */
const NOT_IN_ENGINES = ["i64.add128", "i64.sub128", "i64.mul_wide_s", "i64.mul_wide_u"];

/** Something that only the engine with this proposal validates → its instructions. */
const PROPOSALS = [
  { proposal: "GC", probe: "ref.i31", has: (name: string) => /^(struct|array|i31|ref)\./.test(name) },
  { proposal: "relaxed SIMD", probe: "f32x4.relaxed_madd", has: (name: string) => name.includes("relaxed") },
];

const opcodes = OPCODES.filter((entry) => entry !== undefined);
const withEffect = opcodes.filter(({ name, effect }) => effect !== null && !NOT_IN_ENGINES.includes(name));

function typeIndexFor(name: string): number {
  const packed = /_[su]$/.test(name);
  if (name.startsWith("struct.")) return packed ? TYPE.packedStruct : TYPE.struct;
  if (name.endsWith("_elem")) return TYPE.arrayOfFunctions;
  return packed ? TYPE.packedArray : TYPE.array;
}

function valueType(type: StackType, name: string): ValueType {
  const types: Record<StackType, ValueType> = {
    i32: I32,
    i64: I64,
    f32: F32,
    f64: F64,
    v128: V128,
    eqref: 0x6d,
    arrayref: 0x6a,
    i31ref: 0x6c,
    addr: I32,
    addr2: I32,
    size: I32,
    index: I32,
    index2: I32,
    count: I32,
    local: I32,
    global: I32,
    any: I32,
    field: I32,
    element: FUNCREF,
    ref: ANYREF,
    ref_func: referenceType(false, TYPE.func),
    ref_heap: referenceType(false, HEAP_ANY),
    null_heap: ANYREF,
    ref_i31: referenceType(false, HEAP_I31),
    ref_t: referenceType(false, typeIndexFor(name)),
    null_t: referenceType(true, typeIndexFor(name)),
    null_u: referenceType(true, typeIndexFor(name)),
  };
  return types[type];
}

function writeImmediate(writer: Writer, immediate: Immediate, name: string): void {
  const zeros: { readonly [Name in Immediate]?: number } = { f32: 4, f64: 8, v128: 16, lanes: 16 };
  if (immediate === "type") writer.u32(typeIndexFor(name));
  else if (immediate === "heap") writer.s33(HEAP_ANY);
  else if (immediate.startsWith("memarg")) writer.bytes(Uint8Array.of(Math.log2(Number(immediate.slice(6))), 0));
  else writer.bytes(new Uint8Array(zeros[immediate] ?? 1));
}

/** A module with a function `operands → results` whose body is the instruction. */
function moduleWith(
  { name, number, immediates }: Opcode,
  operands: ValueType[],
  results: ValueType[],
): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  const section = (id: number, ...bytes: number[]): void =>
    writer.section(id, () => writer.bytes(Uint8Array.from(bytes)));
  const usesGc = /^(struct|array)\./.test(name);
  writer.bytes(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  writer.section(SECTION.type, () => {
    writer.u32(usesGc ? TYPE.tested + 1 : 2);
    writer.bytes(Uint8Array.of(0x60, 0, 0));
    // { mut i32 }, { mut i8 }, [mut i32], [mut i8], [mut funcref]
    const gcTypes = [0x5f, 1, 0x7f, 1, 0x5f, 1, 0x78, 1, 0x5e, 0x7f, 1, 0x5e, 0x78, 1, 0x5e, 0x70, 1];
    if (usesGc) writer.bytes(Uint8Array.from(gcTypes));
    writer.u8(0x60);
    writer.vector(operands, (type) => writeValueType(writer, type));
    writer.vector(results, (type) => writeValueType(writer, type));
  });
  section(SECTION.function, 2, TYPE.func, usesGc ? TYPE.tested : 1);
  section(SECTION.table, 1, FUNCREF, 0, 1);
  section(SECTION.memory, 1, 0x03, 1, 1);
  section(SECTION.global, 1, I32, 1, 0x41, 0, 0x0b);
  section(SECTION.element, 1, 1, 0, 1, 0);
  section(SECTION.dataCount, 1);
  writer.section(SECTION.code, () => {
    writer.u32(2);
    writer.bytes(Uint8Array.of(2, 0, 0x0b));
    writer.sized(() => {
      // Local 0 is an operand where there is one, else the only local.
      writer.bytes(operands.length === 0 ? Uint8Array.of(1, 1, I32) : Uint8Array.of(0));
      for (const index of operands.keys()) writer.bytes(Uint8Array.of(0x20, index));
      writeOpcode(writer, number);
      for (const immediate of immediates) writeImmediate(writer, immediate, name);
      writer.u8(0x0b);
    });
  });
  section(SECTION.data, 1, 1, 0);
  return writer.toBytes();
}

function moduleFor(entry: Opcode): Uint8Array<ArrayBuffer> {
  const { operands, results } = typesOf(entry);
  return moduleWith(entry, operands, results);
}

function typesOf({ name, effect }: Opcode): { operands: ValueType[]; results: ValueType[] } {
  const resolve = (types: readonly StackType[]): ValueType[] => types.map((type) => valueType(type, name));
  return { operands: resolve(effect!.operands), results: resolve(effect!.results) };
}

function isMissing(proposal: { probe: string }): boolean {
  return !WebAssembly.validate(moduleFor(withEffect.find(({ name }) => name === proposal.probe)!));
}

const missing = PROPOSALS.filter(isMissing);
const checkable = withEffect.filter(({ name }) => !missing.some((proposal) => proposal.has(name)));

describe("OPCODES", () => {
  it("has every instruction once", () => {
    assert.equal(opcodes.length, 582);
    assert.equal(new Set(opcodes.map(({ name }) => name)).size, opcodes.length);
    assert.equal(new Set(opcodes.map(({ number }) => number)).size, opcodes.length);
    assert.ok(opcodes.every(({ number }) => number < OPCODE_LIMIT));
  });

  it("has the effect that the engine accepts", () => {
    const refused = checkable.filter((entry) => !WebAssembly.validate(moduleFor(entry)));
    assert.deepEqual(
      refused.map(({ name }) => name),
      [],
    );
  });

  it("has no other effect that the engine accepts: one more result, one result less, another last result", () => {
    const accepted = checkable.filter((entry) => {
      const { operands, results } = typesOf(entry);
      const others = [
        [...results, I32],
        results.slice(0, -1),
        [...results.slice(0, -1), EXNREF, EXTERNREF].slice(0, results.length),
      ];
      if (results.length === 0) others.length = 1;
      return others.some((other) => WebAssembly.validate(moduleWith(entry, operands, other)));
    });
    assert.deepEqual(
      accepted.map(({ name }) => name),
      [],
    );
  });

  it("has no other operands that the engine accepts: one more, or another type", () => {
    const accepted = checkable.filter((entry) => {
      const { operands, results } = typesOf(entry);
      const others = operands.map((type, index) => operands.with(index, type === F64 ? F32 : F64));
      // drop takes anything, and local.set 0 sets its own operand here.
      if (entry.name === "drop" || entry.name === "local.set") others.length = 0;
      return [[I32, ...operands], ...others].some((other) => WebAssembly.validate(moduleWith(entry, other, results)));
    });
    assert.deepEqual(
      accepted.map(({ name }) => name),
      [],
    );
  });

  it("has the names that wabt prints", async () => {
    const { readWasm } = await wabt();
    const features = { threads: true, relaxed_simd: true, function_references: true, multi_memory: true };
    const unknown = /^(struct|array|i31|ref)\./;
    const different = withEffect
      .filter(({ name }) => !unknown.test(name))
      .filter((entry) => {
        const text = readWasm(moduleFor(entry), features).toText({});
        return !text.split(/[\s()]+/).includes(entry.name);
      });
    assert.deepEqual(
      different.map(({ name }) => name),
      [],
    );
  });
});

describe("opcode()", () => {
  it("finds the number of an instruction by its name", () => {
    assert.equal(opcode("local.tee"), 0x22);
    assert.equal(opcode("i32x4.relaxed_dot_i8x16_i7x16_add_s"), opcodeNumber(0xfd, 0x113));
    assert.ok(opcodes.every(({ name, number }) => opcode(name) === number && opcodeName(number) === name));
  });

  it("names numbers that are no instruction", () => {
    assert.equal(opcodeName(0x27), "opcode 0x27");
  });
});
