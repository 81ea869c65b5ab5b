import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ModuleBuilder } from "#src/binary/builder";
import type { FunctionBuilder } from "#src/binary/builder";
import { F64, FUNCREF, I32, referenceType } from "#src/binary/value-types";
import { TransformError } from "#src/transform/refusal";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import { transformModule } from "#src/transform/transform-module";
import { compareRuns } from "./differential.ts";

interface Parts {
  readonly module: ModuleBuilder;
  /** `i32 -> i32`, an import. */
  readonly ask: number;
}

type Emit = (run: FunctionBuilder, parts: Parts) => void;

/** A module whose export `run`, `i32 -> i32`, has this code. */
function moduleOf(emit: Emit): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  const ask = module.importFunction("env", "ask", { params: [I32], results: [I32] });
  const run = module.addFunction({ params: [I32], results: [I32] }, "run");
  emit(run, { module, ask });
  module.export("run", "function", run.index);
  return module.build();
}

/** Runs it with a suspension at each call of `ask`, which answers with twice its argument. */
function runAll(bytes: Uint8Array<ArrayBuffer>, argument: number): unknown {
  const guest: SuspendableInstance = new SuspendableInstance(transformModule(bytes), {
    env: { ask: (value: unknown) => guest.suspend(value) },
  });
  let outcome = guest.start("run", argument);
  while (!outcome.done) outcome = outcome.stack.resume((outcome.value as number) * 2);
  return outcome.values[0];
}

function repeat(count: number, body: (index: number) => void): void {
  for (let index = 0; index < count; index++) body(index);
}

describe("A function may have", () => {
  it("3,000 calls that suspend", () => {
    const bytes = moduleOf(({ code }, { ask }) => {
      repeat(3000, () => code.localGet(0).call(ask).localSet(0).localGet(0).i32Const(7).i32RemU().localSet(0));
      code.localGet(0);
    });
    let expected = 3;
    repeat(3000, () => (expected = (expected * 2) % 7));
    assert.equal(runAll(bytes, 3), expected);
  });

  it("4,000 locals that live across a suspension", () => {
    const count = 4000;
    const bytes = moduleOf((run, { ask }) => {
      repeat(count, (index) => run.local(index % 2 === 0 ? I32 : F64));
      const { code } = run;
      repeat(count, (index) => (index % 2 === 0 ? code.i32Const(index) : code.f64Const(index)).localSet(1 + index));
      code.i32Const(1).call(ask).localSet(0);
      repeat(count, (index) => {
        code.localGet(0).localGet(1 + index);
        (index % 2 === 0 ? code : code.i32TruncF64S()).i32Add().localSet(0);
      });
      code.localGet(0).i32Const(1).call(ask).i32Add();
    });
    assert.equal(runAll(bytes, 0), (count * (count - 1)) / 2 + 2 + 2);
  });

  it("1,500 references that live across a suspension", (context) => {
    const EXTERN = referenceType(true, -17);
    const bytes = moduleOf((run, { module, ask }) => {
      const global = module.addGlobal({ type: EXTERN, mutable: true }, (code) => void code.refNull(-17));
      repeat(1500, () => run.local(EXTERN));
      const { code } = run;
      repeat(1500, (index) => code.globalGet(global).localSet(1 + index));
      code.i32Const(1).call(ask).drop();
      repeat(1500, (index) =>
        code
          .localGet(1 + index)
          .refIsNull()
          .localGet(0)
          .i32Add()
          .localSet(0),
      );
      code.localGet(0).i32Const(1).call(ask).i32Add();
    });
    if (!WebAssembly.validate(bytes)) return context.skip("this engine has no references");
    assert.equal(runAll(bytes, 0), 1502);
    return undefined;
  });

  for (const kind of ["block", "loop", "if"] as const) {
    it(`calls that suspend in each of 300 levels of ${kind}`, () => {
      const bytes = moduleOf(({ code }, { ask }) => {
        repeat(300, (level) => {
          if (level % 3 === 0) code.localGet(0).call(ask).localSet(0);
          if (kind === "if") code.localGet(0).i32Const(200).i32LtU().if();
          else code[kind]();
        });
        code.localGet(0).call(ask).localSet(0);
        repeat(300, (level) => {
          if (level % 50 === 0)
            code
              .localGet(0)
              .i32Const(90)
              .i32Eq()
              .brIf(level % 7);
          code.end().localGet(0).call(ask).localSet(0);
        });
        code.localGet(0).call(ask).i32Const(1).i32Add();
      });
      for (const seed of [1, 2, 3]) assert(compareRuns(bytes, { seed }).suspensions > 300);
    });
  }

  const LARGE: Record<string, Emit> = {
    "60,000 blocks in each other, with a call behind each": ({ code }, { ask }) => {
      repeat(60_000, () => code.block());
      repeat(60_000, () => code.end().i32Const(1).call(ask).drop());
      code.localGet(0);
    },
    "60,000 calls that suspend": ({ code }, { ask }) => {
      repeat(60_000, () => code.localGet(0).call(ask).localSet(0));
      code.localGet(0);
    },
    "15,000 loops in each other, with calls between": ({ code }, { ask }) => {
      repeat(15_000, () => code.loop().i32Const(1).call(ask).drop());
      repeat(15_000, () => code.end().i32Const(1).call(ask).drop());
      code.localGet(0);
    },
    "100,000 blocks in each other, and 45,000 locals": (run, { ask }) => {
      repeat(45_000, () => run.local(I32));
      const { code } = run;
      repeat(100_000, (index) =>
        code
          .block()
          .localGet(index % 45_000)
          .drop(),
      );
      code.i32Const(1).call(ask).drop();
      repeat(100_000, () => code.end());
      code.localGet(0).call(ask).localGet(0).i32Add();
    },
    "400,000 copies of a local on the stack": ({ code }, { ask }) => {
      repeat(400_000, () => code.localGet(0));
      repeat(400_000, () => code.localSet(0));
      code.localGet(0).call(ask).localGet(0).i32Add();
    },
  };

  for (const [what, emit] of Object.entries(LARGE)) {
    it(`${what}, in time and memory that grow with it`, () => {
      const bytes = moduleOf(emit);
      const { main, resume } = transformModule(bytes);
      assert(WebAssembly.validate(main));
      assert(WebAssembly.validate(resume()));
      assert(resume().length < bytes.length * 12 + 1_000_000);
    });
  }
});

/** What would be beyond the limits of engines → what the refusal names. */
const REFUSED: Record<string, [emit: Emit, functionName: string, instruction: string]> = {
  "50,000 locals and an operand to keep": [
    (run, { ask }) => {
      repeat(49_999, () => run.local(I32));
      run.code.localGet(0).i32Const(1).i32Add().i32Const(1).call(ask).i32Add();
    },
    "run",
    "call",
  ],
  "2,000 values below a call": [
    ({ code }, { ask }) => {
      repeat(2000, () => code.i32Const(1));
      code.i32Const(1).call(ask);
      repeat(2000, () => code.i32Add());
    },
    "run",
    "call",
  ],
  "a body as large as there can be": [
    ({ code }, { ask }) => {
      code.i32Const(1).call(ask).drop();
      // Instructions that do nothing.
      code.copy(new Uint8Array(7_654_300).fill(0x01));
      code.localGet(0);
    },
    "run",
    "call",
  ],
  "300,000 blocks": [
    ({ code }, { ask }) => {
      repeat(300_000, () => code.block().end());
      code.i32Const(1).call(ask).i32Const(1).i32Add();
    },
    "run",
    "block",
  ],
  "100,000 tables": [
    ({ code }, { module, ask }) => {
      repeat(100_000, () => module.addTable({ element: FUNCREF, minimum: 0 }));
      code.i32Const(1).call(ask).i32Const(1).i32Add();
    },
    "the module",
    "tables",
  ],
  "an export with a name that it needs itself": [
    ({ code, index }, { module, ask }) => {
      code.i32Const(1).call(ask).i32Const(1).i32Add();
      module.export(":begin", "function", index);
    },
    "the module",
    'export ":begin"',
  ],
};

function isRefusal(functionName: string, instruction: string): (error: unknown) => boolean {
  return (error) =>
    error instanceof TransformError && error.functionName === functionName && error.instruction === instruction;
}

describe("transformModule() refuses", () => {
  for (const [what, [emit, functionName, instruction]] of Object.entries(REFUSED)) {
    it(`${what}, by name`, () => {
      const bytes = moduleOf(emit);
      assert(WebAssembly.validate(bytes), "the test itself");
      assert.throws(() => transformModule(bytes), isRefusal(functionName, instruction));
    });
  }

  it("an import with 1,000 results, by name", () => {
    const module = new ModuleBuilder();
    const wide = module.importFunction("env", "wide", { params: [], results: Array<number>(1000).fill(I32) });
    const run = module.addFunction({ params: [], results: [] });
    run.code.call(wide);
    repeat(1000, () => run.code.drop());
    assert.throws(() => transformModule(module.build()), isRefusal("import env.wide", "call"));
    assert.equal(transformModule(module.build(), { imports: () => false }).report.suspendable, 0);
  });

  it("what it has made itself", () => {
    const { main } = transformModule(moduleOf(({ code }, { ask }) => void code.i32Const(1).call(ask)));
    assert.throws(() => transformModule(main), { name: "TransformError", functionName: "the module" });
  });
});
