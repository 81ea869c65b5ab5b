/** Guests that share a memory, and maybe the stack in it: right in every order, or refused. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { SuspendError, Trap, wrapAsyncWithCaller } from "stackful";
import type { Instance } from "stackful";
import { assemble } from "../transform/assemble.ts";
import { Doors, permutations, rejection, turn } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";

type Frames = Functions<"frame" | "trapping" | "where">;

/** What a side module imports, with its stack below `top`; `base`: where its data lies. */
export function sideModule(memory: WebAssembly.Memory, top: number, base = 65536): Record<string, unknown> {
  const constant = (value: number): WebAssembly.Global =>
    new WebAssembly.Global({ value: "i32", mutable: false }, value);
  return {
    memory,
    __stack_pointer: new WebAssembly.Global({ value: "i32", mutable: true }, top),
    __memory_base: constant(base),
    __table_base: constant(0),
    __indirect_function_table: new WebAssembly.Table({ element: "anyfunc", initial: 0 }),
  };
}

export function sharing(suite: Suite): void {
  describe("Guests that call each other", () => calls(suite));
  describe("Guests that share a stack", () => stacks(suite));
  describe("Guests that share a memory", () => memories(suite));
}

/** Calls what is in the table at 0, which calls `back` when `calls-back` is there, and then `wait`. */
const CALLER = `(module
  (import "env" "table" (table 2 funcref)) (import "host" "wait" (func $wait (param i32) (result i32)))
  (type $call (func (param i32) (result i32)))
  (func (export "back") (param i32) (result i32) (i32.add (call $wait (local.get 0)) (i32.const 100)))
  (func (export "run") (param i32 i32) (result i32)
    (i32.add (call_indirect (type $call) (local.get 0) (local.get 1)) (i32.const 1))))`;
const CALLED = `(module
  (import "env" "table" (table 2 funcref)) (import "host" "wait" (func $wait (param i32) (result i32)))
  (import "caller" "back" (func $back (param i32) (result i32)))
  (func $calls-back (param i32) (result i32) (i32.add (call $back (local.get 0)) (i32.const 1000)))
  (func $waits (param i32) (result i32) (i32.add (call $wait (local.get 0)) (i32.const 1000)))
  (elem (i32.const 0) func $calls-back $waits))`;

function calls(suite: Suite): void {
  type Caller = Functions<"run" | "back">;
  const link = async (wait: (value: number) => unknown, interruptible = false): Promise<Instance<Caller>> => {
    const imports = { host: { wait }, env: { table: new WebAssembly.Table({ element: "anyfunc", initial: 2 }) } };
    const bytes = [Uint8Array.from(await assemble(CALLER)), Uint8Array.from(await assemble(CALLED))] as const;
    const caller = await suite.instantiate<Caller>(bytes[0], imports, { interruptible });
    await suite.instantiate(bytes[1], { ...imports, caller: caller.raw.exports }, { interruptible });
    return caller;
  };

  suite.it("through a table: right as long as nobody waits", async () => {
    for (const interruptible of [false, true]) {
      const caller = await link((value) => value, interruptible);
      assert.deepEqual([await caller.exports.run(5, 0), await caller.exports.run(5, 1)], [1106, 1006]);
    }
  });

  suite.it("through a table: refused where frames of the other are in between", async () => {
    const caller = await link((value) => Promise.resolve(value));
    for (const entry of [0, 1]) {
      const error = await rejection(caller.exports.run(5, entry));
      assert.ok(error instanceof SuspendError, String(error));
      assert.equal(error.reason, "javascript-frame");
    }
    assert.equal(await caller.exports.back(5), 105);
  });

  suite.it("by exports that they import, of the same type only", async () => {
    const { raw } = await suite.instantiate(Uint8Array.from(await assemble(CALLER)), {
      host: { wait: (value: number) => value },
      env: { table: new WebAssembly.Table({ element: "anyfunc", initial: 2 }) },
    });
    for (const type of ["(param i64) (result i32)", "(param i32)", "(param i32) (result externref)"]) {
      const importing = Uint8Array.from(await assemble(`(module (import "caller" "back" (func ${type})))`));
      const error = await rejection(suite.instantiate(importing, { caller: raw.exports }));
      assert.ok(error instanceof WebAssembly.LinkError);
      assert.match(
        error.message,
        /import 0 "caller" "back": the guest calls it as .*, the exported function has another/,
      );
    }
  });
}

/** Two instances, or more, with one stack pointer; `checkPointer` fails unless it is where it was. */
async function onOneStack(
  suite: Suite,
  wait: (id: number) => unknown,
): Promise<{ instances: Instance<Frames>[]; checkPointer: () => void }> {
  const env = sideModule(new WebAssembly.Memory({ initial: 2 }), 65536);
  const make = (): Promise<Instance<Frames>> =>
    suite.instantiate<Frames>("frames-imported-sp", { host: { wait, fill: () => {} }, env });
  const instances = [await make(), await make()];
  const pointer = env["__stack_pointer"] as WebAssembly.Global;
  return { instances, checkPointer: () => assert.equal(pointer.value, 65536) };
}

function stacks(suite: Suite): void {
  suite.it("wait for each other, and keep their locals in each of the 24 orders of 4", async () => {
    const doors = new Doors();
    const { instances, checkPointer } = await onOneStack(suite, doors.wait);
    for (const instance of instances) assert.match(instance.queueReason ?? "", /shares its stack with another guest/);
    for (const order of permutations([1, 2, 3, 4])) {
      const results = [1, 2, 3, 4].map((id) => instances[id % 2]!.exports.frame(id));
      for (const id of order) {
        doors.open(id, id + 10);
        await Promise.resolve();
      }
      assert.deepEqual(await Promise.all(results), [1011, 2012, 3013, 4014]);
      checkPointer();
    }
  });

  suite.it("go on after a trap, a rejection and an end from outside in the other", async () => {
    const doors = new Doors();
    const { instances, checkPointer } = await onOneStack(suite, doors.wait);
    const [first, second] = instances as [Instance<Frames>, Instance<Frames>];
    const controller = new AbortController();
    const calls = [
      rejection(first.exports.trapping(1)),
      second.exports.frame(2),
      rejection(second.exports.frame(3)),
      rejection(first.function("frame").call([4], { signal: controller.signal })),
      second.exports.frame(5),
    ];
    doors.open(1);
    doors.open(2, 7);
    const thrown = new Error("3");
    doors.fail(3, thrown);
    assert.ok((await calls[0]) instanceof Trap);
    assert.deepEqual([await calls[1], await calls[2]], [2007, thrown]);
    await turn();
    controller.abort("4");
    assert.equal(await calls[3], "4");
    doors.open(5, 8);
    assert.equal(await calls[4], 5008);
    checkPointer();
  });

  suite.it("call each other through the host while they wait", async () => {
    const wait = wrapAsyncWithCaller(async (_caller, id: number): Promise<unknown> => {
      await turn();
      return id > 3 ? 5 : Number(await instances[id % 2]!.exports.frame(id + 1)) % 1000;
    });
    const { instances, checkPointer } = await onOneStack(suite, wait);
    assert.equal(await instances[0]!.exports.frame(1), 1005);
    assert.deepEqual(await Promise.all([1, 2, 3].map((id) => instances[0]!.exports.frame(id))), [1005, 2005, 3005]);
    checkPointer();
  });

  suite.it("cannot begin to share it while calls have further ones", async () => {
    const doors = new Doors();
    const host = { wait: doors.wait, fill: () => {} };
    const env = sideModule(new WebAssembly.Memory({ initial: 2 }), 65536);
    const first = await suite.instantiate<Frames>("frames-imported-sp", { host, env });
    const calls = [first.exports.frame(1), first.exports.frame(2)];
    const error = await rejection(suite.instantiate("frames-imported-sp", { host, env }));
    assert.ok(error instanceof WebAssembly.LinkError);
    assert.match(error.message, /shares its stack with another guest, and calls of that guest have further stacks/);
    doors.open(1, 1);
    doors.open(2, 2);
    assert.deepEqual(await Promise.all(calls), [1001, 2002]);
    const second = await suite.instantiate<Frames>("frames-imported-sp", { host, env });
    const more = [first.exports.frame(3), second.exports.frame(4)];
    doors.open(4, 4);
    doors.open(3, 3);
    assert.deepEqual(await Promise.all(more), [3003, 4004]);
  });
}

function memories(suite: Suite): void {
  suite.it("a guest without an allocator has its stacks from that of another", async () => {
    const doors = new Doors();
    const host = { wait: doors.wait, fill: () => {} };
    const main = await suite.instantiate<Frames & Functions<"malloc" | "_initialize">>("frames-malloc", { host });
    await main.exports._initialize();
    const [data, stack] = [main.sync.malloc(1024) as number, main.sync.malloc(4096) as number];
    const side = await suite.instantiate<Frames>("frames-imported-sp", {
      host,
      env: sideModule(main.memory!, stack + 4096, data),
    });
    assert.deepEqual([main.queueReason, side.queueReason], [undefined, undefined]);
    const pages = main.memory!.buffer.byteLength;
    for (const order of permutations([1, 2, 3, 4])) {
      const calls = [1, 2, 3, 4].map((id) => (id % 2 === 0 ? main : side).exports.frame(id));
      for (const id of order) doors.open(id, id);
      assert.deepEqual(await Promise.all(calls), [1001, 2002, 3003, 4004]);
    }
    assert.deepEqual([main.stacks.size, side.stacks.size], [1, 1]);
    // What malloc gives afterwards is none of their stacks.
    const block = main.sync.malloc(200_000) as number;
    new Uint8Array(main.memory!.buffer).fill(0xff, block, block + 200_000);
    const calls = [1, 2, 3, 4].map((id) => (id % 2 === 0 ? main : side).exports.frame(id));
    for (const id of [1, 2, 3, 4]) doors.open(id, id);
    assert.deepEqual(await Promise.all(calls), [1001, 2002, 3003, 4004]);
    assert.ok(main.memory!.buffer.byteLength >= pages);
  });

  suite.it("says of the only one why its calls wait", async () => {
    const host = { wait: () => 0, fill: () => {} };
    const env = { memory: new WebAssembly.Memory({ initial: 4 }) };
    const instance = await suite.instantiate<Frames>("sbrk-imported-memory", { host, env });
    assert.match(instance.queueReason ?? "", /^its code reads memory\.size, .* no allocator was found$/);
  });

  for (const first of ["frames-imported-memory", "sbrk-imported-memory"] as const) {
    suite.it(`one that takes what the memory grows by keeps it from growing for stacks: ${first} first`, async () => {
      const doors = new Doors();
      const host = { wait: doors.wait, fill: () => {} };
      const env = { memory: new WebAssembly.Memory({ initial: 4 }) };
      const other = first === "frames-imported-memory" ? "sbrk-imported-memory" : "frames-imported-memory";
      const instances = [
        await suite.instantiate<Frames>(first, { host, env }),
        await suite.instantiate<Frames>(other, { host, env }),
      ];
      for (const instance of instances) assert.match(instance.queueReason ?? "", /memory\.size/);
      const calls = [1, 2, 3].map((id) => instances[0]!.exports.frame(id));
      for (const id of [3, 1, 2]) doors.open(id, id);
      assert.deepEqual(await Promise.all(calls), [1001, 2002, 3003]);
      assert.equal(env.memory.buffer.byteLength, 4 * 65536);
    });
  }

  suite.it("one that takes what the memory grows by is refused when that is a stack already", async () => {
    const doors = new Doors();
    const host = { wait: doors.wait, fill: () => {} };
    const env = { memory: new WebAssembly.Memory({ initial: 4 }) };
    const frames = await suite.instantiate<Frames>("frames-imported-memory", { host, env });
    const calls = [1, 2].map((id) => frames.exports.frame(id));
    doors.open(1, 1);
    doors.open(2, 2);
    assert.deepEqual(await Promise.all(calls), [1001, 2002]);
    const error = await rejection(suite.instantiate("sbrk-imported-memory", { host, env }));
    assert.ok(error instanceof WebAssembly.LinkError);
    assert.match(error.message, /reads memory\.size.*was grown for the stacks of another guest/);
  });
}
