import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ModuleBuilder } from "#src/binary/builder";
import { decodeModule } from "#src/binary/decode-module";
import { F64, I32, I64 } from "#src/binary/value-types";
import { keepLongjmp } from "#src/link/longjmp";
import { guestBytes } from "../conformance/harness.ts";

interface Parts {
  /** What it imports besides, of module `env`. */
  readonly imports?: readonly string[];
  readonly hasTag?: boolean;
  readonly withoutExport?: string;
}

/** Calls the functions of its table below `setjmp`, as Emscripten has it: `run_i`, `run_j`, `run_d` and `run_v` return what they got. */
function protectedCalls({ imports = [], hasTag = false, withoutExport }: Parts): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  const thrower = module.importFunction("env", "_emscripten_throw_longjmp", { params: [], results: [] });
  const types = { v: [], i: [I32], j: [I64], d: [F64] };
  const invokes = Object.entries(types).map(([letter, results]) => ({
    letter,
    results,
    invoke: module.importFunction("env", `invoke_${letter}`, { params: [I32], results }),
  }));
  for (const name of imports) module.importFunction("env", name, { params: [], results: [] });
  const table = module.addTable({ element: 0x70, minimum: invokes.length });
  if (hasTag) module.addTag([]);
  const stack = module.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(1024));
  const threw = module.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(0));
  const add = (name: string, params: number[], results: number[]): ReturnType<ModuleBuilder["addFunction"]> => {
    const added = module.addFunction({ params, results });
    if (name !== withoutExport) module.export(name, "function", added.index);
    return added;
  };
  add("stackSave", [], [I32]).code.globalGet(stack);
  add("stackRestore", [I32], []).code.localGet(0).globalSet(stack);
  add("setThrew", [I32, I32], []).code.localGet(0).globalSet(threw);
  add("threw", [], [I32]).code.globalGet(threw);
  const jumping = invokes.map(({ results }) => {
    const jumper = module.addFunction({ params: [], results });
    jumper.code.i32Const(512).globalSet(stack).call(thrower).unreachable();
    return jumper.index;
  });
  module.addElements(table, (code) => code.i32Const(0), jumping);
  for (const [position, { letter, results, invoke }] of invokes.entries()) {
    add(`run_${letter}`, [], results).code.i32Const(position).call(invoke);
  }
  return module.build();
}

describe("keepLongjmp()", () => {
  it("makes protected calls of every result type give zero when they are left by a jump", async () => {
    const edited = keepLongjmp(decodeModule(protectedCalls({})));
    assert.ok(edited);
    const unused = (): never => assert.fail("an import was called");
    const names = ["_emscripten_throw_longjmp", "invoke_v", "invoke_i", "invoke_j", "invoke_d"];
    const env = Object.fromEntries(names.map((name) => [name, unused]));
    const { instance } = await WebAssembly.instantiate(edited, { env });
    const exports = instance.exports as Record<string, (value?: number) => unknown>;
    for (const [letter, zero] of Object.entries({ v: undefined, i: 0, j: 0n, d: 0 })) {
      exports["setThrew"]!(0);
      assert.equal(exports[`run_${letter}`]!(), zero, letter);
      assert.equal(exports["threw"]!(), 1, "the guest is told of the jump");
      assert.equal(exports["stackSave"]!(), 1024, "its stack is what it was");
    }
  });

  it("leaves the indices and the exports of a guest as they are", () => {
    const module = decodeModule(guestBytes("setjmp-emscripten"));
    const edited = decodeModule(keepLongjmp(module)!);
    const surface = ({ imports, exports }: typeof module): unknown => [
      imports.map(({ module: from, name, index }) => [from, name, index]),
      exports.map(({ name, kind, index }) => [name, kind, index]),
    ];
    assert.deepEqual(surface(edited), surface(module));
  });

  for (const [what, parts] of Object.entries({
    "C++ exceptions of JavaScript": { imports: ["__cxa_throw"] },
    "modules that are linked while it runs": { imports: ["setThrew"] },
    "exceptions of its own": { hasTag: true },
    "no way to set its stack": { withoutExport: "stackRestore" },
    "no way to be told of a jump": { withoutExport: "setThrew" },
  })) {
    it(`leaves a guest with ${what} alone`, () => {
      assert.equal(keepLongjmp(decodeModule(protectedCalls(parts))), undefined);
    });
  }

  it("leaves guests without such imports alone", () => {
    for (const guest of ["setjmp-legacy", "frames", "callback"]) {
      assert.equal(keepLongjmp(decodeModule(guestBytes(guest))), undefined);
    }
  });
});
