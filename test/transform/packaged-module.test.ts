import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { FORMAT_VERSION } from "#src/transform/compiler-version";
import { isPackaged, pack, unpack } from "#src/transform/packaged-module";
import { transformModule } from "#src/transform/transform-module";
import { assemble } from "./assemble.ts";
import { RAN, TEXT, run } from "./packaged/guest.ts";

const onlyAsk = { imports: (_: string, name: string): boolean => name === "ask" };

const bytesOfGuest = await assemble(TEXT);

describe("pack() and unpack()", () => {
  for (const multiMemory of [true, false]) {
    const title = multiMemory ? "with the runtime in the first module" : "with a module for the runtime";

    it(`give a module that suspends, ${title}`, (context) => {
      if (multiMemory && !WebAssembly.validate(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 5, 5, 2, 0, 0, 0, 0))) {
        context.skip("this engine has no multiple memories");
        return;
      }
      const transformed = transformModule(bytesOfGuest, { ...onlyAsk, multiMemory });
      const packed = unpack(pack(transformed, { facts: { answer: 42 } }));
      assert.equal(packed.transformed.runtime === null, multiMemory);
      assert.deepEqual(packed.facts, { answer: 42 });
      assert.deepEqual(run(packed.transformed), RAN);
      assert.deepEqual(packed.transformed.resume(), transformed.resume());
    });
  }

  it("keep which calls may suspend", () => {
    const { calls } = transformModule(bytesOfGuest, onlyAsk);
    const again = unpack(pack(transformModule(bytesOfGuest, onlyAsk))).transformed.calls;
    assert.deepEqual([...again.functions], [...calls.functions]);
    assert.deepEqual([...again.types], [...calls.types]);
    assert.deepEqual([...calls.functions], [1, 0, 1, 1]);
  });

  it("show the exports of the guest, and its custom sections", () => {
    const { module } = unpack(pack(transformModule(bytesOfGuest))).transformed;
    assert.deepEqual(
      module.exports.map(({ name }) => name),
      ["memory", "main"],
    );
    assert.ok(module.customSections.some(({ name }) => name === "name"));
  });

  it("give a file that engines load as it is, if the runtime is a module of its own", () => {
    const bytes = pack(transformModule(bytesOfGuest, { multiMemory: false }));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      env: { ask: (value: number) => value * 100, log: () => {} },
    });
    assert.equal((exports["main"] as (n: number) => number)(5), 2100);
  });

  it("work without resume copies, which are made when they are needed, and can be added then", () => {
    const transformed = transformModule(bytesOfGuest);
    const small = pack(transformed, { resumeCopies: [] });
    let made = 0;
    const make = (): Uint8Array<ArrayBuffer> => {
      made++;
      return transformed.resume();
    };
    const packed = unpack(small, make);
    assert.deepEqual(packed.resumeCopies, []);
    assert.deepEqual(run(packed.transformed), RAN);
    assert.deepEqual(run(packed.transformed), RAN);
    assert.equal(made, 1);
    assert.deepEqual(pack(packed.transformed), pack(transformed));
    assert.throws(() => unpack(small).transformed.resume(), WebAssembly.CompileError);
  });

  it("work with some resume copies, and ask for all if they need others", () => {
    const transformed = transformModule(bytesOfGuest);
    const both = pack(transformed, { resumeCopies: [0, 1] });
    assert.deepEqual(unpack(both).resumeCopies, [0, 1]);
    assert.deepEqual(run(unpack(both).transformed), RAN);
    const one = pack(transformed, { resumeCopies: [1] });
    assert.deepEqual(unpack(one).resumeCopies, [1]);
    assert.throws(() => run(unpack(one).transformed), WebAssembly.CompileError);
    assert.deepEqual(run(unpack(one, () => transformed.resume()).transformed), RAN);
  });

  it("read every version of the format that there was, up to this one, or refuse it", () => {
    const folder = new URL("packaged/", import.meta.url);
    const files = readdirSync(folder).filter((name) => name.endsWith(".wasm"));
    assert.ok(files.includes(`format-${FORMAT_VERSION}.wasm`), "Add a file of this version: see README.md there");
    for (const file of files) {
      const bytes = Uint8Array.from(readFileSync(new URL(file, folder)));
      if (file === `format-${FORMAT_VERSION}.wasm`) assert.deepEqual(run(unpack(bytes).transformed), RAN);
      else assert.throws(() => unpack(bytes), /its format is version/);
    }
  });
});

describe("isPackaged()", () => {
  it("tells packed modules from others, and from what is none", () => {
    const bytes = bytesOfGuest;
    assert.equal(isPackaged(pack(transformModule(bytes))), true);
    for (const other of [
      bytes,
      transformModule(bytes).main,
      new Uint8Array(),
      bytes.slice(0, 9),
      Uint8Array.of(1, 2),
    ]) {
      assert.equal(isPackaged(other), false);
    }
  });
});

describe("unpack() with hostile input", () => {
  it("refuses a module that is not packed", () => {
    assert.throws(() => unpack(transformModule(bytesOfGuest).main), /this is no transformed module/);
  });

  it("refuses every file with a bit changed", () => {
    const bytes = pack(transformModule(bytesOfGuest));
    for (let position = 0; position < bytes.length; position++) {
      const changed = bytes.slice();
      changed[position]! ^= 1 << (position % 8);
      assert.throws(() => unpack(changed), WebAssembly.CompileError, `byte ${position}`);
    }
  });

  it("refuses every file cut short", () => {
    const bytes = pack(transformModule(bytesOfGuest));
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => unpack(bytes.slice(0, length)), WebAssembly.CompileError, `${length} bytes`);
    }
  });

  it("says that another tool has changed the file", () => {
    const bytes = pack(transformModule(bytesOfGuest));
    const section = Uint8Array.of(0, 4, 3, 97, 98, 99);
    assert.throws(() => unpack(Uint8Array.from([...bytes, ...section])), /changed after it was transformed/);
  });

  it("refuses to pack a module that has such sections", () => {
    const bytes = bytesOfGuest;
    const section = Uint8Array.of(0, 16, 15, ...new TextEncoder().encode("stackful.resume"));
    assert.throws(
      () => pack(transformModule(Uint8Array.from([...bytes, ...section]))),
      /Cannot pack module: it has a section "stackful.resume"/,
    );
  });
});
