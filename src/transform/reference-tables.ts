/**
 * Where references are kept while their frame is saved: a table for each type, of which the frame has an index.
 *
 *     ;; $keep : [reference] -> [index]
 *     if $free = 0: grow the table to twice its size, or fail; the new places are free
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
import { TransformError } from "./refusal.ts";
import { emitZero } from "./runtime-globals.ts";
import type { RuntimeHome } from "./runtime-home.ts";
import type { RuntimeFunctions } from "./stack-areas.ts";

/** One table, and the globals about it. */
interface PlaceGlobals {
  readonly table: number;
  readonly places: number;
  readonly free: number;
  readonly log2: number;
}

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
  readonly #runtime: RuntimeFunctions;
  readonly #functions = new Map<ValueType, TableFunctions>();

  constructor(home: RuntimeHome, runtime: RuntimeFunctions) {
    this.#home = home;
    this.#module = home.module;
    this.#memory = home.memory;
    this.#runtime = runtime;
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

  #addKeep(type: ValueType, state: PlaceGlobals): number {
    const { table, places, free } = state;
    const grow = this.#addGrow(type, state);
    const builder = this.#module.addFunction({ params: [type], results: [I32] });
    const index = builder.local(I32);
    const { code } = builder;
    code.globalGet(free).i32Eqz().if().call(grow).end();
    code.globalGet(free).i32Const(1).i32Sub().globalSet(free);
    this.#emitPlace(code, places, free).i32Load({ memory: this.#memory }).localTee(index).localGet(0).tableSet(table);
    code.localGet(index);
    return builder.index;
  }

  /** `() -> ()`: changes nothing when it fails. */
  #addGrow(type: ValueType, { table, places, free, log2 }: PlaceGlobals): number {
    const builder = this.#module.addFunction({ params: [], results: [] });
    const [size, block, index] = [builder.local(I32), builder.local(I32), builder.local(I32)];
    const { code } = builder;
    const { allocate, release, fail } = this.#runtime;
    const newSize = (): Code => code.i32Const(1).localGet(size).i32Shl();
    code.globalGet(log2).i32Const(1).i32Add().i32Const(INITIAL_PLACES_LOG2).globalGet(log2).select().localSet(size);
    code.localGet(size).i32Const(INDEX_BYTES_LOG2).i32Add().call(allocate).localTee(block).i32Eqz().if();
    newSize().call(fail).end();
    emitZero(code, type);
    newSize().tableSize(table).localTee(index).i32Sub().tableGrow(table).i32Const(-1).i32Eq().if();
    code.localGet(block).localGet(size).i32Const(INDEX_BYTES_LOG2).i32Add().call(release);
    newSize().call(fail).end();
    code.globalGet(log2).if();
    code.globalGet(places).globalGet(log2).i32Const(INDEX_BYTES_LOG2).i32Add().call(release).end();
    code.localGet(block).globalSet(places).localGet(size).globalSet(log2);
    // All new indices are free.
    code.loop();
    const again = code.label();
    this.#emitPlace(code, places, free).localGet(index).i32Store({ memory: this.#memory });
    code.globalGet(free).i32Const(1).i32Add().globalSet(free);
    code.localGet(index).i32Const(1).i32Add().localTee(index).tableSize(table).i32LtU().brIf(again);
    code.end();
    return builder.index;
  }

  #addTake(type: ValueType, state: PlaceGlobals): number {
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
