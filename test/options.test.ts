/** Options that are misspelt, or given as something else, are errors: they would otherwise just not be there. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compile, instantiate, moduleCache, newAsync, wrapAsync, wrapAsyncWithCaller } from "stackful";
import { guestBytes, rejection } from "./conformance/harness.ts";

const bytes = guestBytes("add");

describe("An option", () => {
  const wrong: [string, unknown, RegExp][] = [
    [
      "that is none",
      { backends: "transform" },
      /^TypeError: Cannot instantiate guest: unknown option backends, expected backend, /,
    ],
    ["instead of options", "transform", /^TypeError: .* expected an object with options, received "transform"/],
    ["that is null", null, /^TypeError: .* expected an object with options, received null/],
    ["syncResume", { syncResume: 1 }, /^TypeError: .* syncResume must be true or false/],
    ["overlap", { overlap: false }, /^TypeError: .* overlap must be "allow" or "queue"/],
    ["stackChecks", { stackChecks: "no" }, /^TypeError: .* stackChecks must be true or false, received "no"/],
    ["interruptible", { interruptible: 5 }, /^TypeError: .* interruptible must be true or false/],
    [
      "of interruptible",
      { interruptible: { slice: 5 } },
      /^TypeError: .* unknown option slice, expected sliceMs, fuel/,
    ],
    ["stacks", { stacks: 65536 }, /^TypeError: .* stacks: expected an object/],
    ["of stacks", { stacks: { size: 65536 } }, /^TypeError: .* unknown option size, expected bytes, capacity, measure/],
    ["cache", { cache: ".cache" }, /^TypeError: .* cache must be what moduleCache\(\) gives/],
  ];
  for (const [title, options, expected] of wrong) {
    it(`of an instance: ${title}`, async () => {
      assert.match(String(await rejection(instantiate(bytes, {}, options as never))), expected);
    });
  }

  it("of a guest that is compiled", async () => {
    assert.match(String(await rejection(compile(bytes, { maxLive: 5 } as never))), /unknown option maxLive/);
    assert.match(String(await rejection(compile(bytes, { overlap: "never" as never }))), /overlap must be/);
  });

  it("of a call", async () => {
    const instance = await instantiate(bytes);
    const add = instance.function("add");
    const wrongOptions: [unknown, RegExp][] = [
      [{ timeout: 5 }, /^TypeError: Cannot call "add": unknown option timeout, expected signal, timeoutMs, stack/],
      [5, /^TypeError: Cannot call "add": expected an object with options/],
      [{ stack: {} }, /^TypeError: Cannot call "add": stack must be one that instance\.stacks\.open\(\) made/],
    ];
    for (const [options, expected] of wrongOptions)
      assert.throws(() => void add.call([1, 2], options as never), expected);
    assert.throws(() => instance.function("add", "i32" as never), /^TypeError: Cannot use function type/);
    assert.equal(await add.call([1, 2], { signal: undefined, timeoutMs: undefined, stack: undefined }), 3);
  });

  it("of a coroutine", async () => {
    const instance = await instantiate(bytes);
    assert.throws(() => instance.coroutine("add", [3] as never), /expected an object with options, received an array/);
    assert.throws(() => instance.coroutine("add", { arg: [3] } as never), /unknown option arg, expected .*args/);
    assert.throws(() => instance.coroutine("add", { args: 3 as never }), /args must be an array, received number/);
  });

  it("of a cache", () => {
    assert.throws(() => moduleCache(".cache" as never), /^TypeError: Cannot make cache: expected { directory }/);
    assert.throws(
      () => moduleCache({ dir: ".cache" } as never),
      /^TypeError: .* unknown option dir, expected directory/,
    );
  });
});

describe("What a guest was compiled for", () => {
  const backendOf = async (
    compiled: Parameters<typeof compile>[1],
    options: Parameters<typeof instantiate>[2],
  ): Promise<string> => (await instantiate(await compile(bytes, compiled), {}, options)).backend;

  it("holds for its instances", async () => {
    assert.equal(await backendOf({ syncResume: true }, {}), "transform");
    assert.equal(await backendOf({ backend: "transform" }, { maxLive: 5 }), "transform");
  });

  it("unless they ask for something else", async () => {
    const [free, named] = [await backendOf({}, {}), await backendOf({ backend: "transform" }, { backend: "auto" })];
    assert.equal(named, free);
    assert.equal(await backendOf({ backend: "auto" }, { syncResume: true }), "transform");
  });
});

describe("A host function that is made of something else", () => {
  it("is a TypeError", () => {
    assert.throws(
      () => wrapAsync(5 as never),
      /^TypeError: Cannot make host function: expected a function, received number/,
    );
    assert.throws(() => wrapAsyncWithCaller(undefined as never), /^TypeError: Cannot make host function/);
    assert.throws(
      () => newAsync((async () => []) as never, undefined as never),
      /^TypeError: Cannot use function type/,
    );
  });
});
