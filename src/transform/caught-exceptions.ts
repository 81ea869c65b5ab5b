/**
 * What generated code needs to throw an exception again outside of the catch block that it was caught in, on engines where an
 * exception is no value: the functions for it, and locals for what was caught.
 *
 * An exception with a tag that the module knows is its tag and what it carries, and is made again of that. Of any other one
 * WebAssembly code sees nothing: it is a value that a host function has thrown, and the host knows which one was the last; see
 * thrown-values.ts. Its functions are called through a table, because a new import would shift the indices of all functions.
 *
 *     (table $host 3 funcref)
 *     (func $caught (result externref)   i32.const 0  call_indirect $host)     ;; what the host has thrown last
 *     (func $remember (param externref)  …            call_indirect $host)     ;; it is to be the last
 *     (func $rethrow (param $tag i32) (param $value…) (param $thrown externref)
 *       (if (i32.eq (local.get $tag) (i32.const 1)) (then local.get $value…  throw 0))
 *       …
 *       local.get $thrown  i32.const 2  call_indirect $host)
 */

import type { ModuleEditor } from "../binary/editor.ts";
import type { BinaryModule } from "../binary/module.ts";
import { EXTERNREF, FUNCREF, I32, isDefaultable } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import { storableType } from "./homes.ts";

/** Places in the table of the host's functions. */
export const CAUGHT = 0;
export const REMEMBER = 1;
export const RAISE = 2;
export const HOST_FUNCTIONS = 3;

/** What the tags of a module carry, and places for it that they share: at most one of them is in use at a time. */
export class TagValues {
  /** Tags by index: the types that they carry. */
  readonly tags: readonly (readonly ValueType[])[];
  /** The types of the places: as many of each as the tag with the most of it carries. */
  readonly places: readonly ValueType[];

  constructor({ tags, types }: BinaryModule) {
    this.tags = tags.map((index) => {
      const type = types[index];
      return type?.kind === "func" ? type.params : [];
    });
    const places: ValueType[] = [];
    for (const carried of this.tags) placesIn(places, carried);
    this.places = places;
  }

  /** The places for what the tag carries. */
  placesOf(tag: number): number[] {
    return placesIn([...this.places], this.tags[tag]!);
  }
}

/** Adds to `places` what is missing there. */
function placesIn(places: ValueType[], carried: readonly ValueType[]): number[] {
  const taken = new Set<number>();
  return carried.map((type) => {
    const stored = storableType(type);
    const free = places.findIndex((other, index) => other === stored && !taken.has(index));
    const place = free < 0 ? places.push(stored) - 1 : free;
    taken.add(place);
    return place;
  });
}

export class HostFunctions {
  /** Index of the table. */
  readonly table: number;
  /** Indices of the functions. */
  readonly caught: number;
  readonly remember: number;
  readonly rethrow: number;
  readonly #editor: ModuleEditor;

  constructor(editor: ModuleEditor, values: TagValues) {
    this.#editor = editor;
    this.table = editor.addTable({ element: FUNCREF, minimum: HOST_FUNCTIONS, maximum: HOST_FUNCTIONS });
    this.caught = this.#addCall([], [EXTERNREF], CAUGHT);
    this.remember = this.#addCall([EXTERNREF], [], REMEMBER);
    this.rethrow = this.#addRethrow(values);
  }

  #addCall(params: readonly ValueType[], results: readonly ValueType[], place: number): number {
    const { code, index } = this.#editor.addFunction({ params, results });
    for (const position of params.keys()) code.localGet(position);
    code.i32Const(place).callIndirect(this.#editor.type({ params, results }), this.table);
    return index;
  }

  #addRethrow(values: TagValues): number {
    const editor = this.#editor;
    const { code, index } = editor.addFunction({ params: [I32, ...values.places, EXTERNREF], results: [] });
    for (const [tag, carried] of values.tags.entries()) {
      code
        .localGet(0)
        .i32Const(tag + 1)
        .i32Eq()
        .if();
      for (const [position, place] of values.placesOf(tag).entries()) {
        code.localGet(1 + place);
        if (!isDefaultable(carried[position]!)) code.refAsNonNull();
      }
      code.throw(tag).end();
    }
    code.localGet(1 + values.places.length).i32Const(RAISE);
    code.callIndirect(editor.type({ params: [EXTERNREF], results: [] }), this.table);
    return index;
  }
}

/** The locals of one function for exceptions that were caught: a set of them for each level of catch blocks inside each other. */
export class ExceptionLocals {
  readonly types: ValueType[] = [];
  readonly #first: number;
  readonly #values: TagValues;
  readonly #locals = new Map<string, number>();

  /** `first` is the index of the first one. */
  constructor(first: number, values: TagValues) {
    this.#first = first;
    this.#values = values;
  }

  /** Which tag it has: its index + 1, or 0 when it is not one of the module. */
  tag(level: number): number {
    return this.#local(`${level} tag`, I32);
  }

  /** What a host function has thrown. */
  thrown(level: number): number {
    return this.#local(`${level} thrown`, EXTERNREF);
  }

  /** For one of the places of {@link TagValues}. */
  value(level: number, place: number): number {
    return this.#local(`${level} ${place}`, this.#values.places[place]!);
  }

  #local(key: string, type: ValueType): number {
    let local = this.#locals.get(key);
    if (local === undefined) this.#locals.set(key, (local = this.#first + this.types.push(type) - 1));
    return local;
  }
}
