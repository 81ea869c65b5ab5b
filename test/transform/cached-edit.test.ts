/** Edits of modules that are kept in a cache. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { editCached } from "#src/transform/cached-edit";
import type { ModuleCache } from "#src/transform/module-cache";

const EMPTY = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
/** With an empty type section. */
const EDITED = new Uint8Array([...EMPTY, 1, 1, 0]);

/** What is put into it is there when {@link Kept.full} fulfils. */
class Kept extends Map<string, Uint8Array> {
  #fill!: () => void;
  readonly full = new Promise<void>((resolve) => (this.#fill = resolve));

  override set(key: string, bytes: Uint8Array): this {
    super.set(key, bytes);
    this.#fill();
    return this;
  }
}

function counted(): { readonly make: () => Uint8Array<ArrayBuffer>; times: number } {
  const edit = {
    times: 0,
    make: () => {
      edit.times++;
      return EDITED.slice();
    },
  };
  return edit;
}

describe("editCached()", () => {
  it("makes it once, and gives the same afterwards", async () => {
    const cache = new Kept();
    const edit = counted();
    assert.deepEqual(await editCached(EMPTY, { name: "a", make: edit.make }, cache), EDITED);
    await cache.full;
    assert.deepEqual(await editCached(EMPTY, { name: "a", make: edit.make }, cache), EDITED);
    assert.equal(edit.times, 1);
    // What lies there is a module, too.
    for (const bytes of cache.values()) assert.ok(WebAssembly.validate(Uint8Array.from(bytes)));
  });

  it("tells edits and modules apart", async () => {
    const cache = new Kept();
    const edit = counted();
    await editCached(EMPTY, { name: "a", make: edit.make }, cache);
    await cache.full;
    await editCached(EMPTY, { name: "b", make: edit.make }, cache);
    await editCached(EDITED, { name: "a", make: edit.make }, cache);
    assert.equal(edit.times, 3);
  });

  it("makes it again when what was kept is damaged", async () => {
    const cache = new Kept();
    const edit = counted();
    await editCached(EMPTY, { name: "a", make: edit.make }, cache);
    await cache.full;
    const [[key, bytes]] = [...cache] as [[string, Uint8Array]];
    let times = 1;
    for (let index = 0; index < bytes.length; index++) {
      const damaged = bytes.slice();
      damaged[index]! ^= 1;
      const broken = new Map([[key, damaged]]);
      assert.deepEqual(await editCached(EMPTY, { name: "a", make: edit.make }, broken), EDITED);
      assert.equal(edit.times, ++times, `byte ${index}`);
    }
    for (const other of [bytes.subarray(1), bytes.subarray(0, -1), new Uint8Array(), "no bytes"]) {
      const broken = { get: () => other as Uint8Array, set: () => {} };
      assert.deepEqual(await editCached(EMPTY, { name: "a", make: edit.make }, broken), EDITED);
    }
  });

  it("does without a cache that fails", async () => {
    const edit = counted();
    const fail = (): never => {
      throw new Error("broken");
    };
    const cache: ModuleCache = { get: fail, set: fail };
    assert.deepEqual(await editCached(EMPTY, { name: "a", make: edit.make }, cache), EDITED);
  });
});
