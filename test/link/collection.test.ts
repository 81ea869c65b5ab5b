/** Instances that nobody can reach any more are collected, with their memories: Linux allows a process about 16,000 of those. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { backends, instantiate } from "stackful";
import type { HostImports, Instance } from "stackful";
import { guestBytes, turn } from "../conformance/harness.ts";
import { checkBlame } from "../conformance/overflow.ts";
import { sideModule } from "../conformance/sharing.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const reason = backends().find(({ available }) => available) === undefined ? "this runtime has no backend" : false;

/** How many of `count` instances are collected when nobody holds them. */
async function collected(count: number, make: () => Promise<Instance>): Promise<number> {
  const references: WeakRef<object>[] = [];
  for (let made = 0; made < count; made++) references.push(new WeakRef(await make()));
  for (let round = 0; round < 10; round++) {
    await turn();
    collect();
  }
  return references.filter((reference) => reference.deref() === undefined).length;
}

async function start(guest: string, host: (instance: () => Instance) => HostImports): Promise<Instance> {
  const instance: Instance = await instantiate(
    guestBytes(guest),
    host(() => instance),
  );
  if (instance.raw.exports["_initialize"] !== undefined) await instance.getAsync("_initialize")();
  const calls = [1, 2, 3].map((id) => instance.getAsync("frame")(id));
  await Promise.all(calls);
  return instance;
}

describe("Instances", { skip: reason }, () => {
  const plain = (): HostImports => ({ host: { wait: async () => 1, fill: () => {} } });

  it("are collected, of a guest whose memory grows", async () => {
    assert.ok((await collected(20, () => start("frames", plain))) >= 18);
  });

  it("are collected, of a guest with an allocator", async () => {
    assert.ok((await collected(20, () => start("frames-malloc", plain))) >= 18);
  });

  it("are collected when their host functions refer to them", async () => {
    const referring = (instance: () => Instance): HostImports => ({
      host: { wait: async () => (instance().memory === undefined ? 0 : 1), fill: () => {} },
    });
    assert.ok((await collected(20, () => start("frames", referring))) >= 18);
  });
});

describe("Stacks that are dropped", { skip: reason }, () => {
  it("give their memory back when they are collected, but not while a call is on them", async () => {
    let answer: (value: number) => void = () => {};
    const wait = (): Promise<number> => new Promise((resolve) => (answer = resolve));
    const instance = await instantiate(guestBytes("frames"), { host: { wait, fill: () => {} } });
    const frame = instance.function("frame");
    const call = frame.call([1], { stack: instance.stacks.open(2048) });
    for (let count = 0; count < 20; count++) instance.stacks.open(2048);
    assert.equal(instance.stacks.opened, 21);
    for (let round = 0; round < 50 && instance.stacks.opened > 1; round++) {
      await turn();
      collect();
    }
    assert.equal(instance.stacks.opened, 1);
    answer(7);
    assert.equal(await call, 1007);
    for (let round = 0; round < 50 && instance.stacks.opened > 0; round++) {
      await turn();
      collect();
    }
    assert.equal(instance.stacks.opened, 0);
  });
});

describe("Instances that share a stack", { skip: reason }, () => {
  for (const { name, available } of backends()) {
    const skip = !available ? "this runtime does not have it" : false;
    it(`leave nothing behind for those that get their records, on ${name}`, { skip }, async () => {
      const make = async (): Promise<Instance> => {
        const env = sideModule(new WebAssembly.Memory({ initial: 2 }), 65536);
        const imports = { host: { wait: async () => 1, fill: () => {} }, env };
        const bytes = guestBytes("frames-imported-sp");
        const [first, second] = [
          await instantiate(bytes, imports, { backend: name }),
          await instantiate(bytes, imports),
        ];
        await Promise.all([first.getAsync("frame")(1), second.getAsync("frame")(2)]);
        return first;
      };
      assert.ok((await collected(20, make)) >= 18);
      for (let round = 0; round < 20; round++) {
        await checkBlame((imports, options) =>
          instantiate(guestBytes("frames"), imports, { ...options, backend: name }),
        );
      }
    });
  }
});
