/** Errors and traps on their way out of a guest: identity, kind, and what they leave behind. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { inspect } from "node:util";
import { Trap, suspend, wrapAsyncWithCaller } from "stackful";
import type { Instance, TrapKind } from "stackful";
import { Doors, errorOf, rejection } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";
import { generatorHost } from "./values.ts";

export function errors(suite: Suite): void {
  describe("Errors of host functions", () => {
    identity(suite);
    panics(suite);
    conversions(suite);
  });
  describe("Traps", () => {
    kinds(suite);
    afterwards(suite);
  });
}

const THROWN: readonly [string, unknown][] = [
  ["an Error", new Error("thrown")],
  ["null", null],
  ["undefined", undefined],
  ["a string", "text"],
  ["a frozen object", Object.freeze({ code: 1 })],
  ["a RuntimeError made in JavaScript", new WebAssembly.RuntimeError("made by hand")],
];

type Catch = Functions<
  "await_in_try" | "guard" | "guard_deep" | "swallow" | "to_value" | "throw_later" | "catch_later"
>;

function identity(suite: Suite): void {
  for (const guest of ["catch-legacy", "catch-exnref"]) {
    for (const [title, thrown] of THROWN) {
      suite.it(`${guest}: ${title} can be caught and keeps its identity, thrown and rejected`, async () => {
        const cleanups: number[] = [];
        let host: (id: number) => unknown = () => 0;
        const instance = await suite.instantiate<Catch>(guest, {
          host: { wait: (id: number) => host(id), cleanup: (id: number) => void cleanups.push(id) },
        });
        const throwing = (): never => {
          throw thrown;
        };
        for (const fails of [throwing, () => Promise.reject(thrown), throwing, async () => throwing()]) {
          host = fails;
          assert.equal(await instance.exports.await_in_try(1), -1);
          assert.equal(await rejection(instance.exports.guard_deep(3)), thrown);
          assert.deepEqual(cleanups.splice(0), [1, 2, 3]);
          assert.equal(await instance.exports.swallow(5), 5);
        }
        host = throwing;
        assert.equal(instance.sync.await_in_try(1), -1);
        assert.equal(
          errorOf(() => instance.sync.guard(1)),
          thrown,
        );
      });
    }

    suite.it(`${guest}: the guest's own exceptions cross waits`, async () => {
      const doors = new Doors();
      const instance = await suite.instantiate<Catch>(guest, { host: { wait: doors.wait, cleanup: () => {} } });
      const caught = instance.exports.catch_later(1);
      const thrown = rejection(instance.exports.throw_later(2));
      doors.open(1, 51);
      doors.open(2, 52);
      assert.equal(await caught, 51);
      const error = (await thrown) as { getArg(tag: unknown, index: number): unknown };
      assert.equal(error.getArg(instance.raw.exports["error"], 0), 52);
    });
  }

  suite.it("a rejection reaches whoever resumed the coroutine, which is done then", async () => {
    const thrown = new Error("thrown");
    const doors = new Doors();
    const instance = await suite.instantiate("no-memory", {
      host: { wait: (id: number) => (doors.arrivals.length === 0 ? doors.wait(id) : suspend(1)) },
    });
    const coroutine = instance.coroutine("run");
    const step = rejection(coroutine.resumeAsync(1));
    doors.fail(1, thrown);
    assert.equal(await step, thrown);
    assert.deepEqual([coroutine.state, coroutine.done], ["threw", true]);
  });
}

function panics(suite: Suite): void {
  suite.it("panics propagated", async () => {
    const lines: string[] = [];
    const instance = await suite.instantiate("generator", generatorHost(lines));
    const coroutine = instance.coroutine("panics");
    assert.deepEqual(await coroutine.resumeAsync(undefined), { done: false, value: 42 });
    assert.equal(String(await rejection(coroutine.resumeAsync(undefined))), "Error: foobar");
    assert.deepEqual([coroutine.state, coroutine.done], ["threw", true]);
    assert.deepEqual(lines, ["[coroutine] yielding 42", "[coroutine] panicking"]);
  });

  suite.it("panics propagated via parent", async () => {
    const panic = new Error("foobar");
    const inner = await suite.instantiate<Functions<"run">>("no-memory", {
      host: {
        wait: () => {
          throw panic;
        },
      },
    });
    const outer = await suite.instantiate("no-memory", {
      host: { wait: (id: number) => (id === 1 ? inner.exports.run(id) : 0) },
    });
    const coroutine = outer.coroutine("run");
    assert.equal(await rejection(coroutine.resumeAsync(1)), panic);
    assert.equal(coroutine.state, "threw");
  });

  suite.it("async yield panics: after two awaits", async () => {
    const panic = new Error("third");
    let calls = 0;
    const instance = await suite.instantiate<Functions<"loop">>("loop", {
      host: {
        step: async () => {
          if (++calls === 3) throw panic;
          return 1;
        },
        next: () => 0,
        tick: () => {},
      },
    });
    assert.equal(await rejection(instance.exports.loop(5)), panic);
    assert.equal(calls, 3);
    assert.equal(await instance.exports.loop(5), 5);
  });
}

function conversions(suite: Suite): void {
  type Values = Functions<"i32" | "i64" | "f32" | "f64" | "funcref" | "pair" | "triple">;
  const wrong: [keyof Values, unknown, readonly unknown[]][] = [
    ["i32", Symbol("wrong"), [0]],
    ["i32", 5n, [0]],
    ["i64", 5, [0n]],
    ["i64", undefined, [0n]],
    ["i64", "five", [0n]],
    ["f32", Symbol("wrong"), [0]],
    ["f64", 5n, [0]],
    ["funcref", {}, [null]],
    ["funcref", () => 0, [null]],
    ["pair", 5, [0, 0n]],
    ["pair", [1, 2], [0, 0n]],
    ["pair", [1], [0, 0n]],
    ["triple", null, [0, null, 0n]],
  ];
  for (const [name, answer, args] of wrong) {
    const shown = inspect(answer);
    for (const mode of ["at once", "from a promise"]) {
      suite.it(`name the import when ${shown}, answered ${mode}, is no ${name}`, async () => {
        let isWrong = false;
        const instance = await suite.instantiate<Values>("values", {
          host: valuesThatAnswer(name, () => (isWrong ? { answer } : undefined), mode),
        });
        const call = (): Promise<unknown> => instance.exports[name](...args);
        for (let round = 0; round < 3; round++) {
          isWrong = true;
          const error = await rejection(call());
          assert.ok(error instanceof TypeError, String(error));
          assert.match(error.message, new RegExp(`host\\.${name}`));
          isWrong = false;
          await call();
        }
      });
    }
  }

  suite.it("a value that does not convert is an exception that the guest can catch", async () => {
    let answer: unknown = Symbol("wrong");
    const instance = await suite.instantiate<Catch>("catch-legacy", {
      host: { wait: () => answer, cleanup: () => {} },
    });
    for (const next of [Promise.resolve(Symbol("wrong")), 5n, Promise.resolve(5n)]) {
      assert.equal(await instance.exports.await_in_try(1), -1);
      answer = next;
    }
    assert.equal(await instance.exports.await_in_try(1), -1);
  });

  suite.it("an argument that does not convert rejects the call and leaves nothing behind", async () => {
    const instance = await suite.instantiate<Values>("values", { host: valuesThatAnswer("i32", () => undefined, "") });
    for (let round = 0; round < 3; round++) {
      assert.ok((await rejection(instance.exports.i64(5))) instanceof TypeError);
      assert.ok((await rejection(instance.exports.i32(Symbol("wrong")))) instanceof TypeError);
      assert.ok(errorOf(() => instance.sync.i64(5)) instanceof TypeError);
    }
    assert.equal(await instance.exports.i32(5), 5);
  });

  suite.it("an argument that does not convert leaves an opened stack free", async () => {
    const instance = await suite.instantiate("frames", { host: { wait: () => 0, fill: () => {} } });
    const stack = instance.stacks.open();
    const frame = instance.function("frame");
    assert.ok((await rejection(frame.call([Symbol("wrong")], { stack }))) instanceof TypeError);
    assert.equal(stack.inUse, false);
    assert.equal(await frame.call([4], { stack }), 4000);
    stack.free();
  });

  suite.it("a result whose then throws is an exception of the guest", async () => {
    const thrown = new Error("then");
    const answer = {
      // oxlint-disable-next-line unicorn/no-thenable -- that is the subject
      get then(): never {
        throw thrown;
      },
    };
    const instance = await suite.instantiate<Functions<"run">>("no-memory", { host: { wait: () => answer } });
    assert.equal(await rejection(instance.exports.run(1)), thrown);
    assert.equal(
      errorOf(() => instance.sync.run(1)),
      thrown,
    );
  });
}

/** Imports of `values` that return what they get, but for `name`, which returns what `instead` has, if anything. */
function valuesThatAnswer(
  name: string,
  instead: () => { readonly answer: unknown } | undefined,
  mode: string,
): Record<string, unknown> {
  const respond =
    (wanted: string) =>
    (...args: unknown[]): unknown => {
      const same = args.length > 1 ? args : args[0];
      if (wanted !== name) return same;
      const other = instead();
      const value = other === undefined ? same : other.answer;
      return mode === "from a promise" ? Promise.resolve(value) : value;
    };
  const names = ["none", "i32", "i64", "f32", "f64", "externref", "funcref", "pair", "triple", "make"];
  return Object.fromEntries(names.map((wanted) => [wanted, respond(wanted)]));
}

const KINDS: readonly [string, TrapKind, string?][] = [
  ["unreachable", "unreachable"],
  ["divide_by_zero", "divide-by-zero"],
  ["remainder_by_zero", "divide-by-zero"],
  ["integer_overflow", "integer-overflow"],
  ["conversion", "invalid-conversion"],
  ["conversion_range", "invalid-conversion"],
  ["memory_bounds", "memory-out-of-bounds"],
  ["memory_init", "memory-out-of-bounds"],
  ["memory_fill", "memory-out-of-bounds"],
  ["table_bounds", "table-out-of-bounds"],
  ["table_init", "table-out-of-bounds"],
  ["call_bounds", "table-out-of-bounds"],
  ["call_null", "indirect-call"],
  ["call_type", "indirect-call"],
  ["stack_overflow", "stack-overflow"],
  ["null_struct", "null-reference", "traps-gc"],
  ["null_array", "null-reference", "traps-gc"],
  ["array_bounds", "array-out-of-bounds", "traps-gc"],
  ["cast", "bad-cast", "traps-gc"],
  ["null_function", "null-reference", "traps-gc"],
  ["null_reference", "null-reference", "traps-gc"],
];

function kinds(suite: Suite): void {
  for (const [name, kind, guest = "traps"] of KINDS) {
    suite.it(`${name} is a Trap of kind ${kind}, at once, after a wait, in a coroutine and synchronously`, async () => {
      const doors = new Doors();
      let isCoroutine = false;
      const wait = (id: number): unknown => (isCoroutine ? suspend(id) : doors.wait(id));
      const instance = await suite.instantiate(guest, { host: { wait } });
      const checkTrap = (error: unknown): void => {
        assert.ok(error instanceof Trap, String(error));
        assert.equal(error.kind, kind, error.message);
      };
      for (let round = 0; round < 2; round++) {
        checkTrap(await rejection(instance.getAsync(name)()));
        const other = instance.getAsync("fine")(1);
        const later = rejection(instance.getAsync(`${name}_later`)(2));
        doors.open(2);
        checkTrap(await later);
        doors.open(1, 3);
        assert.notEqual(await other, undefined);
        checkTrap(errorOf(() => instance.function(name).sync()));
      }
      isCoroutine = true;
      const coroutine = instance.coroutine(`${name}_later`);
      await coroutine.resumeAsync(1);
      checkTrap(await rejection(coroutine.resumeAsync(0)));
      assert.equal(coroutine.state, "threw");
    });
  }

  suite.it("an unaligned atomic access is a Trap", async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 4, shared: true });
    const instance = await suite.instantiate<Functions<"unaligned">>("shared-memory", {
      env: { memory },
      host: { wait: () => 0 },
    });
    const error = await rejection(instance.exports.unaligned());
    assert.ok(error instanceof Trap);
    assert.equal(error.kind, "unaligned-atomic");
  });

  suite.it("a trap crosses the host functions of outer guests as the same object", async () => {
    const inner = await suite.instantiate<Functions<"unreachable_later">>("traps", { host: { wait: async () => 0 } });
    const seen: unknown[] = [];
    const outer = await suite.instantiate<Functions<"guard">>("catch-legacy", {
      host: {
        wait: async (id: number) => {
          seen.push(await rejection(inner.exports.unreachable_later(id)));
          throw seen[0];
        },
        cleanup: () => void seen.push("cleanup"),
      },
    });
    const error = await rejection(outer.exports.guard(1));
    assert.ok(error instanceof Trap);
    assert.deepEqual(seen, [error], "a trap runs no cleanup");
  });

  suite.it("errors of host functions are no traps", async () => {
    for (const error of [
      new RangeError("Maximum"),
      new Error("unreachable"),
      new TypeError("memory access out of bounds"),
    ]) {
      const instance = await suite.instantiate<Functions<"run">>("no-memory", {
        host: { wait: () => Promise.reject(error) },
      });
      assert.ok(!((await rejection(instance.exports.run(1))) instanceof Trap), String(error));
    }
  });

  suite.it("instantiation that traps rejects with a Trap", async () => {
    const start = await rejection(suite.instantiate("start-trap"));
    assert.ok(start instanceof Trap);
    assert.equal(start.kind, "unreachable");
    for (const guest of ["traps-data", "traps-elem"]) {
      const error = await rejection(suite.instantiate(guest));
      assert.ok(error instanceof WebAssembly.RuntimeError, guest);
    }
  });
}

function afterwards(suite: Suite): void {
  suite.it("trap handler: an error becomes 42", async () => {
    const instance = await suite.instantiate("traps", { host: { wait: (id: number) => suspend(id) } });
    const coroutine = instance.coroutine("memory_bounds_later");
    await coroutine.resumeAsync(1);
    const value = await coroutine.resumeAsync(0).catch((error: unknown) => (error instanceof Trap ? 42 : 0));
    assert.equal(value, 42);
    assert.equal(coroutine.done, true);
  });

  suite.it("trap handler panic: its error propagates", async () => {
    const instance = await suite.instantiate<Functions<"unreachable">>("traps", { host: { wait: () => 0 } });
    const handled = instance.exports.unreachable().catch(() => {
      throw new Error("foobar");
    });
    assert.equal(String(await rejection(handled)), "Error: foobar");
  });

  suite.it("no handler of the guest runs for a trap", async () => {
    for (const guest of ["catch-legacy", "catch-exnref"]) {
      const cleanups: number[] = [];
      const instance = await suite.instantiate<Functions<"trap_in_try">>(guest, {
        host: { wait: async () => 0, cleanup: (id: number) => void cleanups.push(id) },
      });
      assert.ok((await rejection(instance.exports.trap_in_try(1))) instanceof Trap);
      assert.deepEqual(cleanups, []);
    }
  });

  suite.it("a trap leaves the other activations, the stack pointer and the instance as they were", async () => {
    const doors = new Doors();
    const instance: Instance<Functions<"frame" | "trapping" | "nested"> & { __stack_pointer: WebAssembly.Global }> =
      await suite.instantiate("frames-exported-sp", { host: { wait: doors.wait, fill: () => {} } });
    const before: unknown = instance.exports.__stack_pointer.value;
    for (let round = 1; round <= 20; round++) {
      const id = 100 * round;
      const others = [instance.exports.frame(id), instance.exports.frame(id + 1)];
      const trapped = [2, 3, 4].map((at) => rejection(instance.exports.trapping(id + at)));
      for (const at of [3, 2, 4]) doors.open(id + at);
      for (const error of await Promise.all(trapped)) assert.ok(error instanceof Trap && error.kind === "unreachable");
      doors.open(id, 1);
      doors.open(id + 1, 2);
      assert.deepEqual(await Promise.all(others), [1000 * id + 1, 1000 * (id + 1) + 2]);
      assert.equal(instance.exports.__stack_pointer.value, before);
    }
    assert.equal(instance.stacks.size, 4);
  });

  suite.it("a trap in a host function's nested call is an error of that call only", async () => {
    const instance: Instance = await suite.instantiate("no-memory", {
      host: {
        wait: wrapAsyncWithCaller(async () => {
          const traps = await suite.instantiate<Functions<"unreachable">>("traps", { host: { wait: () => 0 } });
          return traps.exports.unreachable().catch(() => 5);
        }),
      },
    });
    assert.equal(await instance.getAsync("run")(1), 1010);
  });
}
