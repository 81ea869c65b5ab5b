/** What is known of every guest of the tests before it runs: its stack pointer, and where further stacks may come from. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { ModuleBuilder } from "#src/binary/builder";
import { decodeModule } from "#src/binary/decode-module";
import { I32 } from "#src/binary/value-types";
import { findMemorySource } from "#src/link/allocator";
import { classifyPointerSets } from "#src/link/pointer-sets";
import { prepareGuest } from "#src/link/prepare";
import { scanCode } from "#src/link/scan";
import { findGuestStack } from "#src/link/stack-pointer";
import { guestBytes } from "../conformance/harness.ts";

function judge(guest: string): { stack: string; source: string } {
  const module = decodeModule(guestBytes(guest));
  const scan = scanCode(module);
  return { stack: findGuestStack(module, scan).kind, source: findMemorySource(module, scan).kind };
}

/** Guest → kind of its stack, and where more memory comes from. */
const EXPECTED: Record<string, readonly [string, string]> = {
  frames: ["found", "grow"],
  "frames-stripped": ["found", "grow"],
  "frames-stripped-O0": ["found", "grow"],
  "frames-exported-sp": ["found", "grow"],
  "frames-imported-sp": ["found", "grow"],
  "frames-malloc": ["found", "allocator"],
  "frames-no-grow": ["found", "none"],
  "frames-imported-memory": ["found", "grow"],
  "frames-memory64": ["found", "grow"],
  generator: ["found", "grow"],
  "overflow-malloc": ["found", "allocator"],
  plugin: ["found", "allocator"],
  callback: ["found", "allocator"],
  sbrk: ["found", "none"],
  "sbrk-imported-memory": ["found", "none"],
  "cleanup-legacy": ["found", "grow"],
  "cleanup-exnref": ["found", "grow"],
  fiber: ["found", "grow"],
  "fiber-O0": ["found", "grow"],
  "foreign-stack": ["unknown", "grow"],
  bump: ["none", "grow"],
  "no-memory": ["none", "none"],
  "counter-global": ["none", "grow"],
  add: ["none", "none"],
  loop: ["none", "none"],
  values: ["none", "none"],
};

describe("The scan of a guest", () => {
  for (const [guest, [stack, source]] of Object.entries(EXPECTED)) {
    it(`finds of ${guest}: stack ${stack}, memory source ${source}`, () => {
      assert.deepEqual(judge(guest), { stack, source });
    });
  }

  it("finds the same stack pointer by name and by the prologue", () => {
    const named = findGuestStack(decodeModule(guestBytes("frames")), scanCode(decodeModule(guestBytes("frames"))));
    for (const guest of ["frames-stripped", "frames-stripped-O0"]) {
      const module = decodeModule(guestBytes(guest));
      assert.deepEqual(findGuestStack(module, scanCode(module)), named);
    }
  });

  it("says why a stack is unknown, and why there is no memory for another", () => {
    const foreign = decodeModule(guestBytes("foreign-stack"));
    const stack = findGuestStack(foreign, scanCode(foreign));
    assert.match(stack.kind === "unknown" ? stack.reason : "", /global \d+ looks like the pointer of a stack/);
    const reasons = ["frames-no-grow", "sbrk"].map((guest) => {
      const module = decodeModule(guestBytes(guest));
      const source = findMemorySource(module, scanCode(module));
      return source.kind === "none" ? source.reason : "";
    });
    assert.match(reasons[0]!, /memory cannot grow/);
    assert.match(reasons[1]!, /memory\.size/);
  });
});

/** How the code of a guest sets its stack pointer: [takes a frame, goes to another stack]. */
function pointerSets(guest: string): [number, number] {
  const module = decodeModule(guestBytes(guest));
  const scan = scanCode(module);
  const stack = findGuestStack(module, scan);
  assert.equal(stack.kind, "found");
  if (stack.kind !== "found") return [0, 0];
  const { frameSets, unclearBodies } = scan.globals.get(stack.global)!;
  const { frames, switches } = classifyPointerSets(module, stack.global, unclearBodies);
  return [new Set([...frameSets, ...frames].map(({ start }) => start)).size, switches.length];
}

describe("The instructions that set a stack pointer", () => {
  // Counted by hand: what a function gives back is not among them.
  const expected: [string, [number, number]][] = [
    ["frames", [8, 0]],
    ["frames-stripped-O0", [10, 0]],
    ["frames-memory64", [8, 0]],
    ["setjmp-legacy", [4, 0]],
    ["cleanup-exnref", [3, 0]],
    ["overflow", [4, 0]],
    ["fiber", [3, 1]],
    ["fiber-O0", [7, 2]],
  ];
  for (const [guest, counts] of expected) {
    it(`take ${counts[0]} frames and go to another stack ${counts[1]} times in ${guest}`, () => {
      assert.deepEqual(pointerSets(guest), counts);
    });
  }
});

describe("A function that only sets the stack pointer", () => {
  for (const isExported of [true, false]) {
    it(`is ${isExported ? "the host's way to give back" : "a way to another stack"} when it is ${isExported ? "" : "not "}exported`, () => {
      const builder = new ModuleBuilder();
      const pointer = builder.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(1024));
      const restore = builder.addFunction({ params: [I32], results: [] });
      restore.code.localGet(0).globalSet(pointer);
      if (isExported) builder.export("stackRestore", "function", restore.index);
      const module = decodeModule(builder.build());
      const { frames, switches } = classifyPointerSets(module, pointer, [0]);
      assert.deepEqual([frames.length, switches.length], [0, isExported ? 0 : 1]);
    });
  }
});

describe("A prepared guest", () => {
  const guests = readdirSync(new URL("../guests/", import.meta.url))
    .filter((file) => file.endsWith(".wasm"))
    .map((file) => file.slice(0, -5));

  it("is a valid module, with and without stack checks, if the original is", () => {
    for (const guest of guests) {
      const bytes = guestBytes(guest);
      if (!WebAssembly.validate(bytes)) continue;
      for (const overlaps of [true, false]) {
        for (const checksStack of [true, false]) {
          const prepared = prepareGuest(bytes, { overlaps, checksStack });
          assert.ok(WebAssembly.validate(prepared.bytes), `${guest} ${overlaps} ${checksStack}`);
        }
      }
    }
  });

  it("keeps every export and import of the original", () => {
    for (const guest of guests) {
      const bytes = guestBytes(guest);
      if (!WebAssembly.validate(bytes)) continue;
      const original = new WebAssembly.Module(bytes);
      const prepared = new WebAssembly.Module(prepareGuest(bytes, { overlaps: true, checksStack: true }).bytes);
      const exports = WebAssembly.Module.exports(original);
      assert.deepEqual(WebAssembly.Module.imports(prepared), WebAssembly.Module.imports(original), guest);
      assert.deepEqual(WebAssembly.Module.exports(prepared).slice(0, exports.length), exports, guest);
    }
  });
});
