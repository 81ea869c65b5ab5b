import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { ModuleBuilder } from "#src/binary/builder";
import type { FunctionBuilder } from "#src/binary/builder";
import { EXNREF, FUNCREF, I32, referenceType } from "#src/binary/value-types";
import { compareRuns } from "./differential.ts";

interface Parts {
  readonly module: ModuleBuilder;
  /** `i32 -> i32`: an import, and a function that calls it twice. */
  readonly ask: number;
  readonly twice: number;
  /** The type of both, and the reference to such a function. */
  readonly type: number;
  readonly reference: number;
  readonly tag: number;
}

const UNARY = { params: [I32], results: [I32] };

/** Case → the code of a function `i32 -> i32`, which is called with 0 and with 1. */
const CASES: Record<string, (run: FunctionBuilder, parts: Parts) => void> = {
  "a call of a reference": ({ code }, { twice, type }) => {
    code.localGet(0).refFunc(twice).callRef(type).localGet(0).i32Add();
  },
  "a local that cannot be null": (run, { ask, twice, type, reference }) => {
    const kept = run.local(reference);
    run.code.refFunc(twice).localSet(kept);
    run.code.localGet(0).call(ask).localGet(kept).callRef(type).localGet(kept).callRef(type).localGet(0).i32Add();
  },
  "a local that cannot be null and is set in one arm only": (run, { ask, twice, type, reference }) => {
    const kept = run.local(reference);
    const { code } = run;
    code.localGet(0).if(I32).refFunc(twice).localSet(kept).localGet(0).call(ask).localGet(kept).callRef(type);
    code.else().localGet(0).call(ask).i32Const(1).i32Add().end().call(ask).localGet(0).i32Add();
  },
  "a tail call of a reference in a try": (run, { ask, twice, type }) => {
    const { code } = run;
    code.localGet(0).call(ask).localSet(0);
    code.block().tryTable(undefined, [["catch_all", 0]]);
    code.localGet(0).refFunc(twice).returnCallRef(type);
    code.end().end().i32Const(-1);
  },
  "tail calls in a try from functions with different results": ({ code }, { module, ask, twice, reference }) => {
    const source = module.addFunction({ params: [], results: [reference] }, "source");
    source.code.i32Const(3).call(ask).drop().refFunc(twice);
    for (const result of [reference, FUNCREF]) {
      const caller = module.addFunction({ params: [], results: [result] });
      caller.code.i32Const(4).call(ask).drop();
      caller.code
        .block()
        .tryTable(undefined, [["catch_all", 0]])
        .returnCall(source.index)
        .end()
        .end()
        .unreachable();
      code.call(caller.index).refIsNull().drop();
    }
    code.localGet(0).call(ask).localGet(0).i32Add();
  },
  "an exception as a value": (run, { ask, tag }) => {
    const kept = run.local(EXNREF);
    const { code } = run;
    code.block(I32);
    code.block(EXNREF).tryTable(I32, [["catch_all_ref", 0]]);
    code.localGet(0).call(ask).if().localGet(0).throw(tag).end().i32Const(5).call(ask);
    code.end().br(1).end().localSet(kept);
    code.localGet(0).i32Const(7).call(ask).drop();
    code
      .block(I32)
      .tryTable(undefined, [["catch", tag, 0]])
      .localGet(kept)
      .throwRef()
      .end()
      .unreachable()
      .end();
    code.i32Add();
    code.end().call(ask).i32Const(1).i32Add();
  },
  "an exception with values, whose handler is in a loop": (run, { ask, tag }) => {
    const left = run.local(I32);
    const { code } = run;
    code.i32Const(4).localSet(left);
    code.loop(I32);
    code.block(I32).tryTable(I32, [["catch", tag, 0]]);
    code.localGet(left).call(ask).localGet(left).i32Const(3).i32Eq().if().localGet(left).throw(tag).end();
    code.end().end().call(ask).localSet(0);
    code.localGet(left).i32Const(1).i32Sub().localTee(left).brIf(0);
    code.localGet(0).call(ask).end();
    code.i32Const(1).i32Add();
  },
  "a reference that is thrown and caught further out": (run, { module, ask, twice, type, reference }) => {
    const caught = run.local(reference);
    const { code } = run;
    const carrier = module.addTag([reference, I32]);
    const thrower = module.addFunction(UNARY, "thrower");
    thrower.code.refFunc(twice).localGet(0).call(ask).throw(carrier);
    const wide = { type: module.type({ params: [], results: [reference, I32] }) };
    code
      .block(wide)
      .tryTable(undefined, [["catch", carrier, 0]])
      .localGet(0)
      .call(thrower.index)
      .drop()
      .end();
    code.unreachable().end().call(ask).drop().localGet(0).call(ask).drop().localSet(caught);
    code.localGet(0).localGet(caught).callRef(type);
  },
};

function moduleOf(emit: (run: FunctionBuilder, parts: Parts) => void): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  const ask = module.importFunction("env", "ask", UNARY);
  const type = module.type(UNARY);
  const twice = module.addFunction(UNARY, "twice");
  twice.code.localGet(0).call(ask).localGet(0).i32Add().call(ask).i32Const(3).i32Add();
  const run = module.addFunction(UNARY, "run");
  const tag = module.addTag([I32]);
  emit(run, { module, ask, twice: twice.index, type, reference: referenceType(false, type), tag });
  module.declareFunctionReferences([twice.index]);
  for (const argument of [0, 1]) {
    const main = module.addFunction({ params: [], results: [I32] });
    main.code.i32Const(argument).call(run.index).i32Const(100).i32Add();
    module.export(`with ${argument}`, "function", main.index);
  }
  return module.build();
}

describe("A suspension keeps", () => {
  for (const [name, emit] of Object.entries(CASES)) {
    for (const throwEvery of [0, 3]) {
      it(`${name}${throwEvery > 0 ? ", when the host throws, too" : ""}`, (context) => {
        const bytes = moduleOf(emit);
        if (!isSupported) return context.skip("this engine does not have the references or exceptions");
        void new WebAssembly.Module(bytes);
        for (const multiMemory of [true, false]) {
          assert(compareRuns(bytes, { throwEvery, multiMemory }).suspensions > 0);
        }
        return undefined;
      });
    }
  }

  it("structs and arrays", (context) => {
    const bytes = readFileSync("test/guests/traps-gc.wasm");
    if (!WebAssembly.validate(bytes)) return context.skip("this engine does not have garbage collection");
    assert(compareRuns(bytes).suspensions > 0);
    return undefined;
  });
});

const isSupported = WebAssembly.validate(
  moduleOf((run, { twice, type }) => {
    run.local(EXNREF);
    run.code.localGet(0).refFunc(twice).callRef(type);
  }),
);
