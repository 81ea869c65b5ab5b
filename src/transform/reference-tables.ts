/**
 * Where references are kept while their frame is saved: a table for each type, of which the frame has an index.
 *
 *     ;; $keep : [reference] -> [index]
 *     if $free = 0: grow the table to twice its size, the new places are free
 *     $free -= 1 ; index = places[$free] ; table[index] = reference
 *
 *     ;; $take : [index] -> [reference]
 *     reference = table[index] ; table[index] = null ; places[$free] = index ; $free += 1
 *
 * `places` is a block of the memory of the areas with room for every index of the table.
 */

import type { Code } from "../binary/code.ts";
import type { Definitions } from "../binary/definitions.ts";
import { I32, heapTypeOf, valueTypeName } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import type { Allocator } from "./block-allocator.ts";
import { TransformError } from "./refusal.ts";
import { emitZero } from "./runtime-globals.ts";
import type { RuntimeHome } from "./runtime-home.ts";

interface TableFunctions {
  readonly keep: number;
  readonly take: number;
}

const INITIAL_PLACES_LOG2 = 6;
const INDEX_BYTES_LOG2 = 2;

export class ReferenceTables {
  readonly #home: RuntimeHome;
  readonly #module: Definitions;
  readonly #memory: number;
  readonly #allocator: Allocator;
  readonly #functions = new Map<ValueType, TableFunctions>();

  constructor(home: RuntimeHome, allocator: Allocator) {
    this.#home = home;
    this.#module = home.module;
    this.#memory = home.memory;
    this.#allocator = allocator;
  }

  /** `reference -> index` */
  keep(type: ValueType): number {
    return this.#functionsFor(type).keep;
  }

  /** `index -> reference` */
  take(type: ValueType): number {
    return this.#functionsFor(type).take;
  }

  #functionsFor(type: ValueType): TableFunctions {
    let functions = this.#functions.get(type);
    if (!functions) this.#functions.set(type, (functions = this.#add(type)));
    return functions;
  }

  #add(type: ValueType): TableFunctions {
    const module = this.#module;
    if (heapTypeOf(type) >= 0 && !this.#home.hasGuestTypes) {
      throw new TransformError("the module", valueTypeName(type), "needs an engine with multiple memories");
    }
    const table = module.addTable({ element: type, minimum: 0 });
    const zero = (code: Code): void => void code.i32Const(0);
    const places = module.addGlobal({ type: I32, mutable: true }, zero);
    const free = module.addGlobal({ type: I32, mutable: true }, zero);
    /** log2 of the number of places, once there are any. */
    const log2 = module.addGlobal({ type: I32, mutable: true }, zero);
    const state = { table, places, free, log2 };
    return { keep: this.#addKeep(type, state), take: this.#addTake(type, state) };
  }

  #emitPlace(code: Code, places: number, free: number): Code {
    return code.globalGet(places).globalGet(free).i32Const(INDEX_BYTES_LOG2).i32Shl().i32Add();
  }

  #addKeep(type: ValueType, state: { table: number; places: number; free: number; log2: number }): number {
    const { table, places, free, log2 } = state;
    const builder = this.#module.addFunction({ params: [type], results: [I32] });
    const index = builder.local(I32);
    const old = builder.local(I32);
    const { code } = builder;
    code.globalGet(free).i32Eqz().if();
    code.globalGet(log2).localTee(old).if();
    code.globalGet(places).globalGet(log2).i32Const(INDEX_BYTES_LOG2).i32Add().call(this.#allocator.release);
    code.globalGet(log2).i32Const(1).i32Add().globalSet(log2);
    code.else().i32Const(INITIAL_PLACES_LOG2).globalSet(log2).end();
    code.globalGet(log2).i32Const(INDEX_BYTES_LOG2).i32Add().call(this.#allocator.allocate).globalSet(places);
    code.globalGet(places).i32Eqz().if().unreachable().end();
    emitZero(code, type);
    code.i32Const(1).globalGet(log2).i32Shl().tableSize(table).localTee(index).i32Sub().tableGrow(table);
    code.i32Const(-1).i32Eq().if().unreachable().end();
    // All new indices are free.
    code.loop();
    const again = code.label();
    this.#emitPlace(code, places, free).localGet(index).i32Store({ memory: this.#memory });
    code.globalGet(free).i32Const(1).i32Add().globalSet(free);
    code.localGet(index).i32Const(1).i32Add().localTee(index).tableSize(table).i32LtU().brIf(again);
    code.end().end();
    code.globalGet(free).i32Const(1).i32Sub().globalSet(free);
    this.#emitPlace(code, places, free).i32Load({ memory: this.#memory }).localTee(index).localGet(0).tableSet(table);
    code.localGet(index);
    return builder.index;
  }

  #addTake(type: ValueType, state: { table: number; places: number; free: number }): number {
    const { table, places, free } = state;
    const builder = this.#module.addFunction({ params: [I32], results: [type] });
    const { code } = builder;
    this.#emitPlace(code, places, free).localGet(0).i32Store({ memory: this.#memory });
    code.globalGet(free).i32Const(1).i32Add().globalSet(free);
    code.localGet(0).tableGet(table).localGet(0);
    emitZero(code, type);
    code.tableSet(table);
    return builder.index;
  }
}
