import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compile, instantiate } from "stackful";
import { packGuest } from "#src/backends/packaged-guest";
import { decodeModule } from "#src/binary/decode-module";
import { MEMORIES } from "#src/transform/imported-memories";
import { TransformError } from "#src/transform/refusal";
import { hasMultiMemory } from "#src/transform/runtime-home";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import { transformModule } from "#src/transform/transform-module";
import { assemble } from "./assemble.ts";

/** A memory as a guest declares it → its pages at first, and those that it may have. */
const DECLARED: Record<string, { readonly minimum: number; readonly maximum: number }> = {
  "(memory $m 1)": { minimum: 1, maximum: 65_536 },
  "(memory $m 2 2)": { minimum: 2, maximum: 2 },
  "(memory $m 0 3)": { minimum: 0, maximum: 3 },
  "(memory $m 1 4 shared)": { minimum: 1, maximum: 4 },
};

const guestText = (memories: string, imports = ""): string => `(module ${imports}
  (import "env" "ask" (func $ask (result i32)))
  ${memories}
  (export "memory" (memory $m))
  (func (export "grow") (param i32) (result i32) (drop (call $ask)) (memory.grow $m (local.get 0)))
  (func (export "size") (result i32) (i32.add (call $ask) (memory.size $m))))`;

/** What an export returns, after a suspension in which it is told 0. */
function run(guest: SuspendableInstance, name: string, ...parameters: readonly number[]): unknown {
  const outcome = guest.start(name, ...parameters);
  assert.ok(!outcome.done);
  const end = outcome.stack.resume(0);
  assert.ok(end.done);
  return end.values[0];
}

async function guestOf(text: string, imports: WebAssembly.Imports = {}): Promise<SuspendableInstance> {
  const transformed = transformModule(await assemble(text));
  const guest: SuspendableInstance = new SuspendableInstance(transformed, {
    ...imports,
    env: { ...imports["env"], ask: () => guest.suspend() },
  });
  return guest;
}

describe("A memory that a guest defines", () => {
  for (const [declaration, { minimum, maximum }] of Object.entries(DECLARED)) {
    it(`is what the guest declares: ${declaration}`, async () => {
      const guest = await guestOf(guestText(declaration));
      const { buffer } = guest.exports["memory"] as WebAssembly.Memory;
      assert.equal(buffer.constructor.name, declaration.includes("shared") ? "SharedArrayBuffer" : "ArrayBuffer");
      assert.equal(run(guest, "size"), minimum);
      assert.equal(run(guest, "grow", maximum - minimum + 1), -1);
      const more = Math.min(maximum - minimum, 2);
      assert.equal(run(guest, "grow", more), minimum);
      assert.equal(run(guest, "size"), minimum + more);
    });
  }

  it("belongs to one instance", async () => {
    const text = guestText(`(memory $m 1) (data (i32.const 8) "fresh")`);
    const transformed = transformModule(await assemble(text));
    const [one, other] = [1, 2].map(() => new SuspendableInstance(transformed, { env: { ask: () => 0 } }));
    const bytes = new Uint8Array((one!.exports["memory"] as WebAssembly.Memory).buffer);
    bytes.fill(0);
    const untouched = new Uint8Array((other!.exports["memory"] as WebAssembly.Memory).buffer, 8, 5);
    assert.equal(new TextDecoder().decode(untouched), "fresh");
  });

  it("stands behind those that the guest imports, or takes the place of none", async (context) => {
    if (!hasMultiMemory()) {
      context.skip("this engine has no multiple memories");
      return;
    }
    const memory = new WebAssembly.Memory({ initial: 7 });
    const imported = `(import "env" "memory" (memory $given 1))`;
    const guest = await guestOf(guestText("(memory $m 3 5) (memory $last 2)", imported), { env: { memory } });
    assert.equal(run(guest, "size"), 3);
    assert.equal(run(guest, "grow", 3), -1);
    const only = await guestOf(guestText("", `(import "env" "memory" (memory $m 1))`), { env: { memory } });
    assert.equal(only.exports["memory"], memory);
    assert.equal(run(only, "size"), 7);
  });

  it("may not be larger than maxMemoryBytes", async () => {
    const instance = await instantiate<{ grow(pages: number): number; size(): number }>(
      await assemble(guestText("(memory $m 1)")),
      { env: { ask: () => Promise.resolve(0) } },
      { backend: "transform", maxMemoryBytes: 3 * 65_536 },
    );
    assert.equal(await instance.exports.grow(3), -1);
    assert.equal(await instance.exports.grow(2), 1);
    assert.equal(await instance.exports.size(), 3);
  });
});

describe("Transformed ahead of time", () => {
  for (const multiMemory of [true, false]) {
    it(`a guest has memories of its own, ${multiMemory ? "imported" : "defined"}`, async (context) => {
      if (multiMemory && !hasMultiMemory()) {
        context.skip("this engine has no multiple memories");
        return;
      }
      const bytes = Uint8Array.from(await assemble(guestText(`(memory $m 1 2) (data (i32.const 0) "own")`)));
      const { bytes: file } = await packGuest(bytes, { transform: { multiMemory } });
      assert.equal(
        decodeModule(file).imports.some(({ module }) => module === MEMORIES),
        multiMemory,
      );
      for (const backend of ["transform", "jspi"] as const) {
        if (backend === "jspi" && !("Suspending" in WebAssembly)) continue;
        const make = (): Promise<{ exports: { grow(pages: number): Promise<number>; memory: WebAssembly.Memory } }> =>
          instantiate<{ grow(pages: number): number; memory: WebAssembly.Memory }>(
            file,
            { env: { ask: () => Promise.resolve(0) } },
            { backend },
          );
        const [one, other] = [await make(), await make()];
        assert.equal(await one.exports.grow(1), 1);
        assert.equal(await one.exports.grow(1), -1);
        assert.equal(other.exports.memory.buffer.byteLength, 65_536);
      }
    });
  }

  it("a guest does not show what the compiler has it import", async () => {
    const bytes = Uint8Array.from(
      await assemble(`(module
        (import "env" "ask" (func $ask (result i32)))
        (func (export "more") (result i32) (i32.add (call $ask) (i32.const 1))))`),
    );
    const { bytes: file } = await packGuest(bytes, {});
    assert.ok(decodeModule(file).imports.some(({ module }) => module === MEMORIES));
    assert.deepEqual(
      (await compile(file)).imports.map(({ module, name }) => [module, name]),
      [["env", "ask"]],
    );
    const instance = await instantiate<{ more(): number }>(
      file,
      { env: { ask: () => Promise.resolve(41) } },
      { backend: "transform" },
    );
    assert.equal(await instance.exports.more(), 42);
  });

  it("a guest that imports memories of these names is refused", async () => {
    const bytes = await assemble(guestText("", `(import "${MEMORIES}" "areas" (memory $m 1))`));
    assert.throws(() => transformModule(bytes), TransformError);
  });
});
