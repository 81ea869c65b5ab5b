import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ModuleBuilder } from "#src/binary/builder";
import { EXNREF, EXTERNREF, F64, FUNCREF, I32, I64 } from "#src/binary/value-types";

type Exports = Record<string, (...values: unknown[]) => unknown>;

async function instantiate(module: ModuleBuilder, imports: WebAssembly.Imports = {}): Promise<Exports> {
  const { instance } = await WebAssembly.instantiate(module.build(), imports);
  return instance.exports as Exports;
}

const nothing = { params: [], results: [] };

describe("ModuleBuilder", () => {
  it("builds an empty module", () => {
    assert.ok(WebAssembly.validate(new ModuleBuilder().build()));
  });

  it("builds loops, locals and labels", async () => {
    const module = new ModuleBuilder();
    const factorial = module.addFunction({ params: [I64], results: [I64] }, "factorial");
    const product = factorial.local(I64);
    const { code } = factorial;
    code.i64Const(1).localSet(product);
    code.block();
    const done = code.label();
    code.loop();
    const next = code.label();
    code.localGet(0).i64Eqz().brIf(done);
    code.localGet(0).localGet(product).i64Mul().localSet(product);
    code.localGet(0).i64Const(1).i64Sub().localSet(0);
    code.br(next).end().end();
    code.localGet(product);
    module.export("factorial", "function", factorial.index);
    assert.equal((await instantiate(module))["factorial"]!(20n), 2432902008176640000n);
  });

  it("calls a function before its code is written", async () => {
    const module = new ModuleBuilder();
    const isEven = module.addFunction({ params: [I32], results: [I32] });
    const isOdd = module.addFunction({ params: [I32], results: [I32] });
    isEven.code.localGet(0).i32Eqz().if(I32).i32Const(1).else();
    isEven.code.localGet(0).i32Const(1).i32Sub().call(isOdd.index).end();
    isOdd.code.localGet(0).i32Eqz().if(I32).i32Const(0).else();
    isOdd.code.localGet(0).i32Const(1).i32Sub().call(isEven.index).end();
    module.export("isEven", "function", isEven.index);
    const { isEven: evaluate } = await instantiate(module);
    assert.deepEqual([evaluate!(10), evaluate!(7)], [1, 0]);
  });

  it("imports and exports everything", async () => {
    const module = new ModuleBuilder();
    const log = module.importFunction("env", "log", { params: [I32, F64, EXTERNREF], results: [] });
    const memory = module.importMemory("env", "memory", { minimum: 1 });
    const table = module.importTable("env", "table", { element: FUNCREF, minimum: 2, maximum: 10 });
    const offset = module.importGlobal("env", "offset", { type: I32, mutable: false });
    const counter = module.addGlobal({ type: I32, mutable: true }, (code) => code.globalGet(offset));
    const run = module.addFunction({ params: [EXTERNREF], results: [] });
    run.code.globalGet(counter).f64Const(0.5).localGet(0).call(log);
    run.code.i32Const(0).i32Load(4).i32Const(0).tableGet(table).refIsNull().i32Add().globalSet(counter);
    module.export("run", "function", run.index);
    module.export("counter", "global", counter);
    module.export("memory", "memory", memory);
    module.export("table", "table", table);

    const calls: unknown[][] = [];
    const imports = {
      log: (...values: unknown[]) => void calls.push(values),
      memory: new WebAssembly.Memory({ initial: 1 }),
      table: new WebAssembly.Table({ element: "anyfunc", initial: 2, maximum: 10 }),
      offset: 40,
    };
    new Int32Array(imports.memory.buffer)[1] = 41;
    const { instance } = await WebAssembly.instantiate(module.build(), { env: imports });
    const exported = instance.exports as { run: (value: unknown) => void; counter: WebAssembly.Global };
    exported.run("value");
    assert.deepEqual(calls, [[40, 0.5, "value"]]);
    assert.equal(exported.counter.value, 42);
    assert.equal(instance.exports["memory"], imports.memory);
    assert.equal(instance.exports["table"], imports.table);
  });

  it("fills tables and memories and runs the start function", async () => {
    const module = new ModuleBuilder();
    module.addMemory({ minimum: 1, maximum: 1 });
    module.addTable({ element: FUNCREF, minimum: 1 });
    const table = module.addTable({ element: FUNCREF, minimum: 4 });
    const twice = module.addFunction({ params: [I32], results: [I32] });
    twice.code.localGet(0).i32Const(2).i32Mul();
    module.addElements(0, (code) => code.i32Const(0), [twice.index]);
    module.addElements(table, (code) => code.i32Const(3), [twice.index]);
    module.addData(0, (code) => code.i32Const(8), Uint8Array.of(21, 0, 0, 0));
    const result = module.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(0));
    const start = module.addFunction(nothing);
    start.code.i32Const(8).i32Load().i32Const(3).callIndirect(module.type(twice.type), table).globalSet(result);
    module.start(start.index);
    module.export("result", "global", result);
    const exports = (await instantiate(module)) as unknown as { result: WebAssembly.Global };
    assert.equal(exports.result.value, 42);
  });

  it("builds constructs with several results", async () => {
    const module = new ModuleBuilder();
    const pair = module.type({ params: [I32], results: [I32, I32] });
    const swap = module.addFunction({ params: [I32], results: [I32, I32] });
    swap.code.localGet(0).block({ type: pair }).i32Const(7).end();
    module.export("pair", "function", swap.index);
    assert.deepEqual((await instantiate(module))["pair"]!(1), [1, 7]);
  });

  it("catches with legacy try", async () => {
    const module = new ModuleBuilder();
    const fail = module.importFunction("env", "fail", nothing);
    const cleanups = module.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(0));
    const run = module.addFunction(nothing);
    run.code.try().call(fail).catchAll();
    run.code.globalGet(cleanups).i32Const(1).i32Add().globalSet(cleanups).rethrow(0).end();
    module.export("run", "function", run.index);
    module.export("cleanups", "global", cleanups);
    const reason = new Error("reason");
    const exports = await instantiate(module, {
      env: {
        fail: () => {
          throw reason;
        },
      },
    });
    assert.throws(() => exports["run"]!(), reason);
    assert.equal((exports as unknown as { cleanups: WebAssembly.Global }).cleanups.value, 1);
  });

  it("catches with try_table", async (test) => {
    const module = new ModuleBuilder();
    const tag = module.addTag([I32]);
    const run = module.addFunction({ params: [I32], results: [I32] });
    const { code } = run;
    code.block(EXNREF);
    const rethrow = code.label();
    code.block(I32);
    const caught = code.label();
    code.tryTable(undefined, [
      ["catch", tag, caught],
      ["catch_all_ref", rethrow],
    ]);
    code.localGet(0).throw(tag);
    code.end().unreachable().end();
    code.return().end().throwRef();
    module.export("run", "function", run.index);
    if (!WebAssembly.validate(module.build())) return test.skip("this engine has no exnref");
    assert.equal((await instantiate(module))["run"]!(42), 42);
  });

  it("has each function type once", () => {
    const module = new ModuleBuilder();
    const first = module.type({ params: [I32], results: [] });
    assert.equal(module.type({ params: [], results: [I32] }), first + 1);
    assert.equal(module.type({ params: [I32], results: [] }), first);
    module.addFunction({ params: [], results: [I32] }).code.i32Const(1);
    assert.equal(module.type({ params: [I64], results: [] }), first + 2);
  });

  it("puts names of functions into stack traces", async () => {
    const module = new ModuleBuilder();
    const run = module.addFunction(nothing, "inner_function");
    run.code.unreachable();
    module.export("run", "function", run.index);
    const exports = await instantiate(module);
    assert.throws(() => exports["run"]!(), { name: "RuntimeError", stack: /inner_function/ });
  });

  it("refuses imports after definitions", () => {
    const module = new ModuleBuilder();
    module.addFunction(nothing);
    assert.throws(() => module.importFunction("env", "late", nothing), {
      name: "RangeError",
      message: "Cannot import function env.late: a function is defined already, its index would shift",
    });
    assert.equal(module.importGlobal("env", "global", { type: I32, mutable: false }), 0);
  });

  it("refuses to build open constructs", () => {
    const module = new ModuleBuilder();
    module.addFunction(nothing).code.block().loop().end();
    assert.throws(() => module.build(), { name: "RangeError", message: /function 0: 1 constructs are not closed/ });
  });
});
