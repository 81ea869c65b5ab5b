/**
 * Has QuickJS look for garbage when its blocks have become larger: WebAssembly in, WebAssembly out.
 *
 * What nobody refers to it frees at once. For objects that only refer to each other it looks after it has made some number of blocks, because
 * in Emscripten's build it does not know how large they are: thirty buffers of a megabyte would fill the memory long before. So its blocks are
 * counted in bytes. When these have grown by half, `malloc_gc_threshold` of the runtime is made 0, so that QuickJS looks when it makes the next
 * object, and sets that word anew.
 *
 *     (call $malloc …)                    (call $malloc …) (global.set $block) (if (global.get $block) (then
 *                                           (global.set $live (i32.add (global.get $live) (size $block)))
 *                                           (if (i32.gt_s (global.get $live) (global.get $next)) (then (call $look)))))
 *                                         (global.get $block)
 *
 *     (call $free …)                      … (global.set $block) (if (global.get $block) (then
 *                                           (global.set $live (i32.sub (global.get $live) (size $block)))))
 *                                         (global.get $block) (call $free)
 *
 *     (call $realloc …)                   (call $realloc' …), which counts the difference; $realloc itself is left as it is
 *
 *     (func $look
 *       (if (i32.eqz (i32.load (global.get $threshold))) (then (return)))             ;; it has not looked yet
 *       (if (global.get $next)
 *         (then (global.set $next (i32.const 0)) (i32.store (global.get $threshold) (i32.const 0)))
 *         (else (global.set $next (…)))))                                             ;; live + half of what there is, or of what is left
 *
 * `(size $block)` is what the word before a block says, without the lowest three bits: so dlmalloc has it, which is checked before $threshold is
 * set. Until then $next is as large as can be, and nothing happens.
 */

import type { Code } from "../../binary/code.ts";
import type { ModuleEditor } from "../../binary/editor.ts";
import { InstructionReader } from "../../binary/instructions.ts";
import { functionType } from "../../binary/module.ts";
import type { BinaryModule } from "../../binary/module.ts";
import { opcode } from "../../binary/opcodes.ts";
import { I32 } from "../../binary/value-types.ts";
import { encodeIndex } from "../../binary/writer.ts";
import type { QuickJSFunctions } from "./quickjs-functions.ts";

/** Globals that are exported. `live`: bytes that are allocated now; the others are set by {@link lookForGarbage}. */
export const COUNTED_EXPORTS = {
  live: "script:live-bytes",
  next: "script:next-look",
  first: "script:first-bytes",
  last: "script:last-bytes",
  least: "script:least-growth",
  threshold: "script:gc-threshold",
} as const;

type GlobalName = keyof typeof COUNTED_EXPORTS;

const CALL = opcode("call");
/** Bytes by which memory may grow before it is looked at all, without a limit. */
const LEAST_GROWTH = 2 ** 20;
/** With a limit: this part of it. */
const LEAST_PART = 32;
const PROBE_BYTES = 1000;
const HEAD_BYTES = 4;
const FLAGS = -8;
const NEVER = 2 ** 31 - 1;

/** Where the allocator of a module is. */
export interface Allocator {
  readonly malloc: number;
  readonly free: number;
}

/** Counts what code of the module allocates, and what exports allocate. Does nothing to a module whose `realloc` is not found. */
export function countMemory(editor: ModuleEditor, module: BinaryModule, { malloc, free }: Allocator): void {
  const realloc = findRealloc(module, { malloc, free });
  if (realloc === undefined) return;
  const globals = Object.fromEntries(
    Object.entries(COUNTED_EXPORTS).map(([name, exported]) => {
      const index = editor.addGlobal({ type: I32, mutable: true }, (code) =>
        code.i32Const(name === "next" ? NEVER : 0),
      );
      editor.export(exported, "global", index);
      return [name, index];
    }),
  ) as Record<GlobalName, number>; // the names are those of the exports
  new MemoryCounter(editor, module, globals).count({ malloc, free, realloc });
}

/** The one function (i32, i32) → i32 that calls both others: it moves a block that cannot grow where it is. */
function findRealloc(module: BinaryModule, { malloc, free }: Allocator): number | undefined {
  const reader = new InstructionReader(module.bytes);
  const found: number[] = [];
  for (let body = 0; body < module.bodies.length; body += 2) {
    const index = module.importedFunctions + body / 2;
    const { params, results } = functionType(module, index);
    if (params.length !== 2 || results.length !== 1) continue;
    const called = new Set<number>();
    reader.enterBody(module.bodies[body]!, module.bodies[body + 1]!);
    while (reader.next()) if (reader.opcode === CALL) called.add(reader.index());
    if (called.has(malloc) && called.has(free)) found.push(index);
  }
  return found.length === 1 ? found[0] : undefined;
}

class MemoryCounter {
  readonly #editor: ModuleEditor;
  readonly #module: BinaryModule;
  readonly #globals: Record<GlobalName, number>;
  /** A block between two instructions: calls in between would make scripts 3 % slower. */
  readonly #block: number;
  readonly #look: number;

  constructor(editor: ModuleEditor, module: BinaryModule, globals: Record<GlobalName, number>) {
    this.#editor = editor;
    this.#module = module;
    this.#globals = globals;
    this.#block = editor.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(0));
    this.#look = this.#addLook();
  }

  count({ malloc, free, realloc }: Allocator & { readonly realloc: number }): void {
    const counted = this.#addRealloc(realloc);
    const { bodies, importedFunctions } = this.#module;
    const reader = new InstructionReader(this.#module.bytes);
    for (let body = 0; body < bodies.length; body += 2) {
      if (importedFunctions + body / 2 === realloc) continue;
      reader.enterBody(bodies[body]!, bodies[body + 1]!);
      while (reader.next()) {
        if (reader.opcode !== CALL) continue;
        const range = { start: reader.start, end: reader.position };
        const callee = reader.index();
        if (callee === malloc) this.#editor.replace(range, (code) => this.#malloc(code, malloc));
        else if (callee === free) this.#editor.replace(range, (code) => this.#free(code, free));
        else if (callee === realloc) this.#editor.replace(range, (code) => code.call(counted));
      }
    }
    this.#redirectExports({ malloc, free });
  }

  /** What the host allocates counts as well: QuickJS may free it. */
  #redirectExports({ malloc, free }: Allocator): void {
    const countedMalloc = this.#editor.addFunction({ params: [I32], results: [I32] }, "counted malloc");
    this.#malloc(countedMalloc.code.localGet(0), malloc);
    const countedFree = this.#editor.addFunction({ params: [I32], results: [] }, "counted free");
    this.#free(countedFree.code.localGet(0), free);
    for (const { kind, index, description } of this.#module.exports) {
      if (kind !== "function") continue;
      if (index === malloc) this.#editor.replaceBy(description, encodeIndex(countedMalloc.index));
      if (index === free) this.#editor.replaceBy(description, encodeIndex(countedFree.index));
    }
  }

  #malloc(code: Code, malloc: number): void {
    const { live } = this.#globals;
    code.call(malloc).globalSet(this.#block).globalGet(this.#block).if();
    pushSize(code.globalGet(live).globalGet(this.#block)).i32Add().globalSet(live);
    this.#lookIfLarge(code);
    code.end().globalGet(this.#block);
  }

  #free(code: Code, free: number): void {
    const { live } = this.#globals;
    code.globalSet(this.#block).globalGet(this.#block).if();
    pushSize(code.globalGet(live).globalGet(this.#block)).i32Sub().globalSet(live);
    code.end().globalGet(this.#block).call(free);
  }

  #addRealloc(realloc: number): number {
    const builder = this.#editor.addFunction({ params: [I32, I32], results: [I32] }, "counted realloc");
    const [before, after] = [builder.local(I32), builder.local(I32)];
    const { live } = this.#globals;
    const { code } = builder;
    pushSize(code.localGet(0).if().localGet(0)).localSet(before).end();
    // Where there is no room the block is what it was.
    code.localGet(0).localGet(1).call(realloc).localTee(after).if();
    code.globalGet(live).localGet(before).i32Sub();
    pushSize(code.localGet(after)).i32Add().globalSet(live);
    this.#lookIfLarge(code);
    code.end().localGet(after);
    return builder.index;
  }

  #lookIfLarge(code: Code): void {
    const { live, next } = this.#globals;
    code.globalGet(live).globalGet(next).i32GtS().if().call(this.#look).end();
  }

  #addLook(): number {
    const { live, next, first, last, least, threshold } = this.#globals;
    const builder = this.#editor.addFunction({ params: [], results: [] }, "look for garbage");
    const [growth, left] = [builder.local(I32), builder.local(I32)];
    const { code } = builder;
    code.globalGet(threshold).i32Load().i32Eqz().if().return().end();
    code.globalGet(next).if();
    code.i32Const(0).globalSet(next).globalGet(threshold).i32Const(0).i32Store();
    code.return().end();
    // next = live + max(min(live - first, last - live) / 2, least)
    code.globalGet(live).globalGet(first).i32Sub().localSet(growth);
    code.globalGet(last).globalGet(live).i32Sub().localSet(left);
    code.localGet(growth).localGet(left).localGet(growth).localGet(left).i32LtS().select();
    code.i32Const(1).i32ShrS().localSet(growth);
    code.localGet(growth).globalGet(least).localGet(growth).globalGet(least).i32GtS().select();
    code.globalGet(live).i32Add().globalSet(next);
    return builder.index;
  }
}

/** Makes of the address of a block what the allocator says of it. */
function pushSize(code: Code): Code {
  return code.i32Const(HEAD_BYTES).i32Sub().i32Load().i32Const(FLAGS).i32And();
}

/** What is needed of an instance that counts. */
export interface CountingInstance {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly functions: Pick<QuickJSFunctions, "malloc" | "free">;
}

/**
 * Begins to look. Nothing happens where blocks are not counted, or counted wrongly.
 *
 * @param threshold address of the word that has QuickJS look when it is 0
 * @param maxBytes what scripts may take from now on; `undefined`: anything
 */
export function lookForGarbage(instance: CountingInstance, threshold: number, maxBytes: number | undefined): void {
  const global = (name: GlobalName): { value: number } => instance.exports[COUNTED_EXPORTS[name]] as { value: number };
  if (!(COUNTED_EXPORTS.live in instance.exports) || !isCountedRight(instance, global("live"))) return;
  const first = global("live").value;
  global("first").value = first;
  global("last").value = maxBytes === undefined ? NEVER : Math.min(first + maxBytes, NEVER);
  const least = maxBytes === undefined ? LEAST_GROWTH : Math.ceil(maxBytes / LEAST_PART);
  global("least").value = least;
  global("threshold").value = threshold;
  global("next").value = first + least;
}

function isCountedRight({ functions }: CountingInstance, live: { readonly value: number }): boolean {
  const before = live.value;
  const block = functions.malloc(PROBE_BYTES);
  const counted = live.value - before;
  functions.free(block);
  return counted >= PROBE_BYTES && counted < 2 * PROBE_BYTES && live.value === before;
}
