import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ModuleBuilder } from "#src/binary/builder";
import type { FunctionBuilder } from "#src/binary/builder";
import { I32, referenceType } from "#src/binary/value-types";
import type { ValueType } from "#src/binary/value-types";
import { compareRuns } from "./differential.ts";

// (ref i31) is a subtype of (ref eq), and that of (ref any).
const I31 = referenceType(false, -20);
const EQ = referenceType(false, -19);
const NULLABLE_EQ = referenceType(true, -19);
const ANY = referenceType(false, -18);

interface Parts {
  readonly module: ModuleBuilder;
  /** Function `i32 -> i32`, an import. */
  readonly ask: number;
  /** Function `(ref eq) -> i32`. */
  readonly use: number;
}

/** Case → the code of a function `i32 -> i32`, which is called with 0 and with 1. */
const CASES: Record<string, (run: FunctionBuilder, parts: Parts) => void> = {
  // Found by the fuzzer with seed 50.
  "has the type of the label behind a branch that was not taken": ({ code }, { ask, use }) => {
    code.block(NULLABLE_EQ);
    code.i32Const(1).call(ask).drop();
    code.i32Const(5).refI31().localGet(0).brIf(0);
    code.i32Const(2).call(ask).drop();
    code.end().refAsNonNull().call(use);
  },
  "has a type at each of several sites": ({ code }, { ask, use }) => {
    code.block(NULLABLE_EQ).block(EQ);
    code.i32Const(5).refI31();
    code.i32Const(1).call(ask).drop();
    code.localGet(0).brIf(0);
    code.i32Const(2).call(ask).drop();
    code.i32Const(0).brIf(1);
    code.i32Const(3).call(ask).drop().refAsNonNull();
    code.end().end().refAsNonNull().call(use);
  },
  "has a type at each of several sites as one of two results": ({ code }, { module, ask, use }) => {
    const two = module.addFunction({ params: [], results: [I31, I31] }, "two");
    two.code.i32Const(3).call(ask).refI31().i32Const(4).refI31();
    const wide = { type: module.type({ params: [], results: [EQ, NULLABLE_EQ] }) };
    code.block(wide).call(two.index);
    code.i32Const(1).call(ask).drop();
    code.localGet(0).brIf(0);
    code.i32Const(2).call(ask).drop();
    code.end().refAsNonNull().call(use).drop().call(use);
  },
  "has the narrower type until another branch widens it": ({ code }, { ask }) => {
    code.block(ANY).block(EQ);
    code.i32Const(5).refI31();
    code.localGet(0).brIf(0).i32Const(0).brIf(1);
    code.i32Const(1).call(ask).drop().drop();
    code.i32Const(6).refI31();
    code.end().end().drop().localGet(0);
  },
  // Found by the fuzzer with seed 213.
  "is a reference below a loop that was never there at a later site": ({ code }, { ask, use }) => {
    code.block().localGet(0).brIf(0);
    code.i32Const(5).refI31();
    code.loop().i32Const(1).call(ask).drop().localGet(0).brIf(1).end();
    code.call(use).drop();
    code.i32Const(2).call(ask).drop();
    code.end().i32Const(3).call(ask).localGet(0).i32Add();
  },
  "is a parameter that was used up before the site": ({ code }, { module, ask, use }) => {
    const type = module.type({ params: [I31], results: [I32] });
    code.i32Const(5).refI31();
    code.block({ type }).call(use).i32Const(1).call(ask).i32Add().end();
    code.i32Const(6).refI31();
    code.loop({ type }).call(use).i32Const(2).call(ask).i32Add().end();
    code.i32Add();
  },
  "is a parameter of an if whose place another reference took": ({ code }, { module, ask, use }) => {
    const type = module.type({ params: [EQ], results: [I32] });
    code.i32Const(5).refI31().localGet(0);
    code.if({ type }).call(use).refNull(-19).i32Const(1).call(ask).drop().drop();
    code.else().call(use).i32Const(2).call(ask).i32Add().end();
  },
};

function moduleOf(emit: (run: FunctionBuilder, parts: Parts) => void): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  const ask = module.importFunction("env", "ask", { params: [I32], results: [I32] });
  const use = module.addFunction({ params: [EQ], results: [I32] }, "use");
  use.code.localGet(0).refCast(-20).i31GetU();
  const run = module.addFunction({ params: [I32], results: [I32] }, "run");
  const parts: Parts = { module, ask, use: use.index };
  emit(run, parts);
  for (const argument of [0, 1]) {
    const main = module.addFunction({ params: [], results: [I32] });
    main.code.i32Const(argument).call(run.index).i32Const(100).i32Add();
    module.export(`with ${argument}`, "function", main.index);
  }
  return module.build();
}

const hasReferences = isValid(I31);

function isValid(type: ValueType): boolean {
  const module = new ModuleBuilder();
  module.addFunction({ params: [type], results: [] });
  return WebAssembly.validate(module.build());
}

describe("An operand that is kept during a suspension", () => {
  const skip = hasReferences ? false : "this engine does not have the references";
  for (const [name, emit] of Object.entries(CASES)) {
    it(name, { skip }, () => {
      const bytes = moduleOf(emit);
      void new WebAssembly.Module(bytes);
      assert(compareRuns(bytes).suspensions > 0);
    });
  }
});
