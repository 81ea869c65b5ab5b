/**
 * Random modules with exceptions in the legacy form: `wasm-opt -ttf` would mix it with the standard form, which engines refuse.
 * The same seed gives the same module.
 *
 * Each function takes and returns an i32. All loops and calls use up fuel, so that everything ends.
 */

import { assemble } from "../transform/assemble.ts";

const FUNCTIONS = 5;
const FUEL = 60;
const MAX_DEPTH = 5;
const LOCALS = 3;

/** What the tags carry. */
const TAGS: Readonly<Record<string, readonly string[]>> = {
  $a: ["i32"],
  $b: ["i64", "f64"],
  $c: [],
  $d: ["i32", "f32", "i32"],
};

const HEAD = `(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (import "env" "pair" (func $pair (param i32) (result i32 i64)))
  (import "env" "note" (func $note (param i32)))
  (import "env" "a" (tag $a (param i32)))
  ${Object.entries(TAGS)
    .slice(1)
    .map(([name, types]) => `(tag ${name} ${types.map((type) => `(param ${type})`).join(" ")})`)
    .join("\n  ")}
  (global $fuel (mut i32) (i32.const 0))
  (global $seen (export "seen") (mut i32) (i32.const 0))
  (func $burn
    (if (i32.le_s (global.get $fuel) (i32.const 0)) (then unreachable))
    (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1))))`;

/** A construct that is open. */
interface Level {
  /** Whether a branch to it takes an i32. */
  readonly takesValue: boolean;
  /** Whether the code is in one of its catch blocks. */
  isCatching: boolean;
}

export async function generateLegacyModule(seed: number): Promise<Uint8Array<ArrayBuffer>> {
  return Uint8Array.from(await assemble(new Generator(seed).module()));
}

class Generator {
  readonly #lines: string[] = [];
  readonly #levels: Level[] = [];
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  module(): string {
    this.#lines.push(HEAD);
    for (let index = 0; index < FUNCTIONS; index++) this.#function(index);
    this.#lines.push(")");
    return this.#lines.join("\n");
  }

  /** A whole number below `limit`, by mulberry32. */
  #below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#below(items.length)]!;
  }

  #emit(line: string): void {
    this.#lines.push(line);
  }

  #function(index: number): void {
    this.#emit(`(func $f${index} (param i32) (result i32) (local i32 i32)`);
    this.#emit("call $burn");
    this.#levels.length = 0;
    this.#levels.push({ takesValue: true, isCatching: false });
    this.#statements(0);
    this.#value(1);
    this.#emit(")");
    this.#emit(`(func (export "run${index}") (param i32) (result i32)
      (global.set $fuel (i32.const ${FUEL})) (call $f${index} (local.get 0)))`);
  }

  #statements(depth: number): void {
    for (let left = 1 + this.#below(3); left > 0; left--) this.#statement(depth);
  }

  #statement(depth: number): void {
    const simple = [() => this.#set(), () => this.#note(), () => this.#branchIf(), () => this.#throwIf(depth)];
    const nested = [() => this.#try(depth, false), () => this.#try(depth, false), () => this.#block(depth)];
    this.#pick(depth < MAX_DEPTH ? [...simple, ...nested, ...nested] : simple)();
  }

  #set(): void {
    this.#value(MAX_DEPTH - 1);
    this.#emit(`local.set ${this.#below(LOCALS)}`);
  }

  #note(): void {
    this.#value(MAX_DEPTH);
    this.#emit("call $note  (global.set $seen (i32.add (global.get $seen) (i32.const 1)))");
  }

  /** A branch, return or rethrow that is taken sometimes. */
  #branchIf(): void {
    this.#condition();
    this.#emit("if");
    this.#levels.push({ takesValue: false, isCatching: false });
    const label = this.#below(this.#levels.length);
    const target = this.#levels.at(-1 - label)!;
    if (target.isCatching && this.#below(2) === 0) {
      this.#emit(`rethrow ${label}`);
    } else {
      if (target.takesValue) this.#value(MAX_DEPTH);
      this.#emit(label === this.#levels.length - 1 ? "return" : `br ${label}`);
    }
    this.#close();
  }

  #throwIf(depth: number): void {
    this.#condition();
    this.#emit("if");
    this.#levels.push({ takesValue: false, isCatching: false });
    const [name, types] = this.#pick(Object.entries(TAGS));
    for (const type of types) this.#number(type, depth + 1);
    this.#emit(`throw ${name}`);
    this.#close();
  }

  #condition(): void {
    this.#value(MAX_DEPTH);
    this.#emit(`i32.const ${1 + this.#below(7)}  i32.and`);
  }

  #number(type: string, depth: number): void {
    if (type === "i32") return this.#value(depth);
    this.#value(MAX_DEPTH);
    const conversion = { i64: "i64.extend_i32_s", f32: "f32.convert_i32_s", f64: "f64.convert_i32_s" }[type]!;
    return this.#emit(conversion);
  }

  #close(): void {
    this.#levels.pop();
    this.#emit("end");
  }

  #block(depth: number): void {
    const isLoop = this.#below(3) === 0;
    this.#emit(isLoop ? "loop  call $burn" : "block");
    this.#levels.push({ takesValue: false, isCatching: false });
    this.#statements(depth + 1);
    this.#close();
  }

  /** With an i32 below it on the stack, now and then, and one as a parameter. */
  #try(depth: number, hasResult: boolean): void {
    const hasParam = this.#below(4) === 0;
    const isOnTop = this.#below(4) === 0;
    if (isOnTop) this.#value(MAX_DEPTH);
    if (hasParam) this.#value(MAX_DEPTH);
    this.#emit(`try ${hasParam ? "(param i32)" : ""} ${hasResult ? "(result i32)" : ""}`);
    if (hasParam) this.#emit(`local.set ${this.#below(LOCALS)}`);
    const level = { takesValue: hasResult, isCatching: false };
    this.#levels.push(level);
    this.#statements(depth + 1);
    if (hasResult) this.#value(depth + 1);
    if (this.#below(6) === 0) {
      this.#levels.pop();
      this.#emit(`delegate ${this.#below(this.#levels.length)}`);
    } else {
      level.isCatching = true;
      this.#clauses(depth, hasResult);
      this.#close();
    }
    if (isOnTop) this.#emit(hasResult ? "i32.sub" : `local.set ${this.#below(LOCALS)}`);
  }

  #clauses(depth: number, hasResult: boolean): void {
    const caught = Object.entries(TAGS).filter(() => this.#below(3) === 0);
    for (const [name, types] of caught) {
      this.#emit(`catch ${name}`);
      for (const type of types.toReversed()) {
        this.#emit(type === "i32" ? `local.set ${this.#below(LOCALS)}` : "drop");
      }
      this.#clause(depth, hasResult);
    }
    if (caught.length > 0 && this.#below(2) === 0) return;
    this.#emit("catch_all");
    this.#clause(depth, hasResult);
  }

  #clause(depth: number, hasResult: boolean): void {
    this.#statements(depth + 1);
    if (this.#below(3) === 0) this.#emit("rethrow 0");
    else if (hasResult) this.#value(depth + 1);
  }

  /** Leaves an i32. */
  #value(depth: number): void {
    const simple = [
      () => this.#emit(`local.get ${this.#below(LOCALS)}`),
      () => this.#emit(`local.get ${this.#below(LOCALS)}`),
      () => this.#emit(`i32.const ${this.#below(16)}`),
      () => this.#emit(`local.get ${this.#below(LOCALS)}  call $ask`),
    ];
    const nested = [
      () => this.#sum(depth),
      () => this.#try(depth, true),
      () => this.#emit(`local.get 0  call $f${this.#below(FUNCTIONS)}`),
      () => this.#emit(`local.get 1  call $pair  i32.wrap_i64  i32.xor`),
    ];
    this.#pick(depth < MAX_DEPTH ? [...simple, ...nested] : simple)();
  }

  #sum(depth: number): void {
    this.#value(depth + 1);
    this.#value(depth + 1);
    this.#emit("i32.add");
  }
}
