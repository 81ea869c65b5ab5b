/** Suspensions in catch blocks of the legacy form of exceptions, on engines where an exception is no value. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readFileSync } from "node:fs";
import { ModuleBuilder } from "#src/binary/builder";
import { EXTERNREF, I32, heapTypeOf, referenceType } from "#src/binary/value-types";
import { ABI } from "#src/transform/abi";
import { pack, unpack } from "#src/transform/packaged-module";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import type { Outcome, SuspendedStack } from "#src/transform/suspended-stack";
import { transformModule } from "#src/transform/transform-module";
import { generateLegacyModule } from "../fuzz/generate-legacy.ts";
import { assemble } from "./assemble.ts";
import { compareRuns } from "./differential.ts";

/** What the engines of other runtimes have is not to be used here. */
const tryTable = false;

interface Exception {
  is(tag: object): boolean;
  getArg(tag: object, position: number): unknown;
}
const { Tag, Exception } = WebAssembly as unknown as {
  readonly Tag: new (type: { parameters: string[] }) => object;
  readonly Exception: new (tag: object, payload: unknown[]) => Exception;
};

function suspended(outcome: Outcome): SuspendedStack {
  assert(!outcome.done, "the guest returned");
  return outcome.stack;
}

function errorOf(body: () => unknown): unknown {
  try {
    body();
  } catch (error) {
    return error;
  }
  return assert.fail("it did not throw");
}

/** A guest whose import `ask` always suspends; `host` has imports that never do. */
async function guestOf(text: string, host: Record<string, WebAssembly.ImportValue> = {}): Promise<SuspendableInstance> {
  const imports = (_module: string, name: string): boolean => name === "ask";
  const guest: SuspendableInstance = new SuspendableInstance(
    transformModule(await assemble(text), { tryTable, imports }),
    { env: { ask: (value: unknown) => guest.suspend(value), ...host } },
  );
  return guest;
}

/** `main` cleans up, which suspends, and throws again; `swallow` is a cleanup that has exceptions of its own. */
const CLEANUP = `(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (import "env" "fail" (func $fail))
  (tag $own (export "own") (param i32 f64))
  (func $swallow (try (do (call $fail)) (catch_all)))
  (func $inner (param $n i32) (result i32)
    (try (result i32)
      (do (call $ask (local.get $n)))
      (catch_all
        (drop (call $ask (i32.const 100)))
        (call $swallow)
        (rethrow 0))))
  (func $plain (export "plain") (param $n i32) (result i32)
    (try (result i32)
      (do (call $fail) (i32.const 0))
      (catch_all (call $swallow) (rethrow 0))))
  (func (export "main") (param $n i32) (result i32)
    (try (result i32)
      (do (call $inner (local.get $n)))
      (catch_all (drop (call $ask (i32.const 200))) (rethrow 0))))
  (func (export "around_plain") (param $n i32) (result i32)
    (try (result i32)
      (do (call $plain (local.get $n)))
      (catch_all (drop (call $ask (i32.const 300))) (rethrow 0))))
  (func (export "tagged") (param $n i32) (result i32)
    (try (result i32)
      (do (throw $own (call $ask (local.get $n)) (f64.const 0.5)))
      (catch_all (drop (call $ask (i32.const 400))) (rethrow 0))))
  (func (export "trap") (param $n i32) (result i32)
    (try (result i32)
      (do (i32.div_u (i32.const 1) (call $ask (local.get $n))))
      (catch_all (drop (call $ask (i32.const 500))) (rethrow 0)))))`;

const foreign = new Exception(new Tag({ parameters: ["i32"] }), [7]);
const VALUES = new Map<string, unknown>([
  ["an error", new Error("thrown")],
  ["null", null],
  ["undefined", undefined],
  ["a string", "text"],
  ["an exception with a foreign tag", foreign],
]);

describe("An exception that a moved catch block throws again", () => {
  for (const [name, value] of VALUES) {
    it(`is the same when the host threw it: ${name}`, async () => {
      const guest = await guestOf(CLEANUP, {
        fail: () => {
          throw new Error("of the cleanup");
        },
      });
      const stack = suspended(guest.start("main", 1));
      suspended(stack.throw(value));
      suspended(stack.resume(0));
      assert.equal(
        errorOf(() => stack.resume(0)),
        value,
      );
    });
  }

  it("is the same when another one was caught meanwhile, by a block that does not suspend", async () => {
    const thrown = [new Error("the first"), new Error("the second")];
    const guest = await guestOf(CLEANUP, {
      fail: () => {
        throw thrown.shift();
      },
    });
    const [first] = thrown;
    const stack = suspended(guest.start("around_plain", 1));
    assert.equal(
      errorOf(() => stack.resume(0)),
      first,
    );
    assert.equal(thrown.length, 0);
  });

  it("is the same when a block that suspends caught another one meanwhile", async () => {
    const guest = await guestOf(`(module
      (import "env" "ask" (func $ask (param i32) (result i32)))
      (func (export "main") (param $n i32) (result i32)
        (try (result i32)
          (do
            (try (result i32)
              (do (call $ask (i32.const 1)))
              (catch_all
                (try
                  (do
                    (try
                      (do (drop (call $ask (i32.const 2))))
                      (catch_all (drop (call $ask (i32.const 3))) (rethrow 0))))
                  (catch_all (drop (call $ask (i32.const 4))) (br_if 0 (local.get $n)) (rethrow 0)))
                (rethrow 0))))
          (catch_all (drop (call $ask (i32.const 5))) (rethrow 0)))))`);
    const [first, second] = [new Error("the first"), new Error("the second")];
    for (const [parameter, thrown] of [
      [1, first],
      [0, second],
    ] as const) {
      const stack = suspended(guest.start("main", parameter));
      for (const error of [first, second]) suspended(stack.throw(error));
      for (const answer of [3, 4]) suspended(stack.resume(answer));
      assert.equal(
        errorOf(() => stack.resume(5)),
        thrown,
      );
    }
  });

  it("is the same on stacks that are interleaved", async () => {
    const guest = await guestOf(CLEANUP, { fail: () => {} });
    const errors = [1, 2, 3].map((number) => new Error(String(number)));
    const stacks = errors.map((_, number) => suspended(guest.start("main", number)));
    for (const [index, stack] of stacks.entries()) suspended(stack.throw(errors[index]));
    for (const stack of stacks.toReversed()) suspended(stack.resume(0));
    const seen = stacks.map((stack) => errorOf(() => stack.resume(0)));
    assert(seen.every((error, index) => error === errors[index]));
  });

  it("has its tag and values", async () => {
    const guest = await guestOf(CLEANUP, { fail: () => {} });
    const stack = suspended(guest.start("tagged", 1));
    suspended(stack.resume(42));
    const error = errorOf(() => stack.resume(0)) as Exception;
    const { own } = guest.exports as unknown as { own: object };
    assert(error.is(own));
    assert.deepEqual([error.getArg(own, 0), error.getArg(own, 1)], [42, 0.5]);
  });

  it("is never a trap", async () => {
    const guest = await guestOf(CLEANUP, { fail: () => {} });
    const stack = suspended(guest.start("trap", 1));
    assert.throws(() => stack.resume(0), /divide by zero/);
  });

  it("is an error that says so when nobody knows it: it came from another module, through a table", async () => {
    const other = new WebAssembly.Instance(
      new WebAssembly.Module(
        (await assemble(`(module
          (import "env" "fail" (func $fail))
          (func (export "fail") (call $fail)))`)) as BufferSource,
      ),
      {
        env: {
          fail: () => {
            throw new Error("never recorded");
          },
        },
      },
    );
    const guest = await guestOf(`(module
      (import "env" "ask" (func $ask (param i32) (result i32)))
      (table (export "table") 1 funcref)
      (func (export "main")
        (try
          (do (call_indirect (i32.const 0)))
          (catch_all (drop (call $ask (i32.const 1))) (rethrow 0)))))`);
    (guest.exports["table"] as WebAssembly.Table).set(0, other.exports["fail"]);
    const stack = suspended(guest.start("main"));
    assert.throws(() => stack.resume(0), /neither from an import nor with a tag/);
  });

  it("may be what the engine throws for a result that does not convert", async () => {
    const guest = await guestOf(
      `(module
        (import "env" "ask" (func $ask (param i32) (result i32)))
        (import "env" "give" (func $give (result i32)))
        (func (export "main") (result i32)
          (try (result i32)
            (do (call $give))
            (catch_all (drop (call $ask (i32.const 1))) (rethrow 0)))))`,
      { give: () => Symbol("not a number") as never },
    );
    const stack = suspended(guest.start("main"));
    assert.throws(() => stack.resume(0), TypeError);
  });
});

describe("A module whose catch blocks are moved", () => {
  it("has its start function called by the host, though it never suspends", async () => {
    const guest = await guestOf(
      CLEANUP.replace(/\)$/, "(func $start (try (do (drop (call $plain (i32.const 1)))) (catch_all))) (start $start))"),
      {
        fail: () => {
          throw new Error("of the start function");
        },
      },
    );
    assert(guest.start(ABI.start).done);
  });

  it("has its start function called by the host", async () => {
    const guest = await guestOf(
      `(module
      (import "env" "ask" (func $ask (param i32) (result i32)))
      (import "env" "fail" (func $fail))
      (global $caught (export "caught") (mut i32) (i32.const 0))
      (func $start
        (try
          (do (try (do (call $fail)) (catch_all (drop (call $ask (i32.const 1))) (rethrow 0))))
          (catch_all (global.set $caught (i32.const 1)))))
      (start $start))`,
      {
        fail: () => {
          throw new Error("of the start function");
        },
      },
    );
    const stack = suspended(guest.start(ABI.start));
    assert(stack.resume(0).done);
    assert.equal((guest.exports["caught"] as WebAssembly.Global).value, 1);
  });

  it("can be packed", async () => {
    const { transformed } = unpack(pack(transformModule(await assemble(CLEANUP), { tryTable })));
    const guest: SuspendableInstance = new SuspendableInstance(transformed, {
      env: { ask: () => guest.suspend(), fail: () => {} },
    });
    const stack = suspended(guest.start("main", 1));
    const error = new Error("thrown");
    suspended(stack.throw(error));
    suspended(stack.resume(0));
    assert.equal(
      errorOf(() => stack.resume(0)),
      error,
    );
  });

  it("lets functions suspend by an exception that no catch_all sees", (context) => {
    // The text form of references that are not null is not what the assembler knows.
    const text = referenceType(false, heapTypeOf(EXTERNREF));
    const module = new ModuleBuilder();
    const ask = module.importFunction("env", "ask", { params: [I32], results: [I32] });
    const read = module.importFunction("env", "read", { params: [I32], results: [text] });
    const inner = module.addFunction({ params: [I32], results: [text] });
    inner.code.try(text).localGet(0).call(read).catchAll();
    inner.code.i32Const(1).call(ask).drop().i32Const(2).call(read).end();
    const main = module.addFunction({ params: [I32], results: [EXTERNREF] });
    main.code.try(EXTERNREF).localGet(0).call(inner.index).catchAll();
    main.code.i32Const(3).call(ask).drop().rethrow(0).end();
    module.export("main", "function", main.index);
    const bytes = module.build();
    if (!WebAssembly.validate(bytes)) return context.skip("this engine does not have the references");
    for (const throwEvery of [0, 1, 2, 3]) {
      assert(compareRuns(bytes, { tryTable, throwEvery }).suspensions > 0);
    }
    return undefined;
  });
});

for (const guest of ["catch-legacy", "cleanup-legacy", "setjmp-legacy", "exceptions-legacy"]) {
  describe(`Guest ${guest} with its catch blocks moved`, () => {
    const bytes = readFileSync(`test/guests/${guest}.wasm`);
    for (const throwEvery of [0, 1, 2, 3, 5]) {
      it(`does what the plain one does when the host throws ${throwEvery > 0 ? `every ${throwEvery} calls` : "never"}`, () => {
        const options = { throwEvery, skip: ["swallow_forever"], tryTable };
        assert(compareRuns(bytes, options).suspensions > 0);
        assert(compareRuns(bytes, { ...options, multiMemory: false }).suspensions > 0);
      });
    }
  });
}

describe("Random exceptions", () => {
  for (const form of ["the legacy form", "whatever form the engine has"]) {
    it(`are the same with suspensions everywhere, in ${form}`, async () => {
      let suspensions = 0;
      for (let seed = 1; seed <= 12; seed++) {
        const bytes = await generateLegacyModule(seed);
        for (const throwEvery of [0, 3]) {
          const options = { throwEvery, seed: seed + throwEvery };
          suspensions += compareRuns(
            bytes,
            form === "the legacy form" ? { ...options, tryTable } : options,
          ).suspensions;
        }
      }
      assert(suspensions > 500, String(suspensions));
    });
  }
});
