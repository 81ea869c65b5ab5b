/**
 * Which locals are needed at some site of a function: those whose value is read later on some path, before it is
 * written. Only they are saved.
 *
 * Ordinary backward data flow over the operations, with one set of locals per label. What is needed at the head of a loop
 * is only known after its body was read, so the whole is repeated until nothing changes: one to three times.
 *
 * Exceptions are branches that every call inside a try may take, to its handlers and those around it.
 */

import { Reader } from "../binary/reader.ts";
import type { FunctionShape } from "./function-shape.ts";
import { SiteHomes } from "./homes.ts";
import type { Homes } from "./homes.ts";
import { readLabels } from "./labels.ts";
import * as op from "./operations.ts";
import type { Operations } from "./operations.ts";

/** A set of locals: one bit each. */
type LocalSet = Uint32Array;

/** A construct that is open, seen from its end. */
interface OpenConstruct {
  /** What is needed where its label leads. */
  readonly label: LocalSet;
  /** What is needed behind it. */
  readonly after: LocalSet;
  /** What the handlers need that an exception in it may reach; null when this function has none there. */
  handlers: LocalSet | null;
  /** What is needed at the start of the second arm of an `if`. */
  elseArm: LocalSet | null;
}

export class Liveness {
  readonly #shape: FunctionShape;
  readonly #operations: Operations;
  readonly #homes: Homes;
  readonly #words: number;
  readonly #reader: Reader;
  /** Loop → what is needed at its head, as far as it is known. */
  readonly #heads = new Map<number, LocalSet>();
  /** Sites' needs so far. */
  readonly #needed: LocalSet;
  readonly #siteHomes: SiteHomes;
  #live: LocalSet;
  #open: OpenConstruct[] = [];
  #changed = false;

  constructor(bytes: Uint8Array, shape: FunctionShape, operations: Operations, homes: Homes) {
    this.#shape = shape;
    this.#operations = operations;
    this.#homes = homes;
    this.#siteHomes = new SiteHomes(shape);
    this.#words = (homes.locals.length + 31) >>> 5;
    this.#reader = new Reader(bytes);
    this.#needed = this.#newSet();
    this.#live = this.#newSet();
  }

  /** The locals to save, in ascending order. */
  savedLocals(): number[] {
    do {
      this.#changed = false;
      this.#pass();
    } while (this.#changed);
    return this.#homes.locals.map((_, local) => local).filter((local) => has(this.#needed, local));
  }

  #newSet(): LocalSet {
    return new Uint32Array(this.#words);
  }

  #pass(): void {
    const { insertions } = this.#homes;
    const operations = this.#operations;
    this.#live.fill(0);
    this.#open = [{ label: this.#newSet(), after: this.#newSet(), handlers: null, elseArm: null }];
    let insertion = insertions.length - 1;
    // The last operation is the end of the function.
    for (let index = operations.length - 2; index >= 0; index--) {
      for (; insertion >= 0 && insertions[insertion]!.position >= operations.end[index]!; insertion--) {
        for (const home of insertions[insertion]!.homes) remove(this.#live, home);
      }
      const kind = operations.kind[index]!;
      if (kind <= op.DELEGATE) this.#structure(kind, index);
      else this.#instruction(kind, index);
    }
  }

  #structure(kind: number, index: number): void {
    const construct = this.#operations.argument[index]!;
    const innermost = this.#open.at(-1)!;
    switch (kind) {
      case op.END:
      case op.DELEGATE:
        return this.#end(construct);
      case op.ELSE:
        innermost.elseArm = this.#live;
        this.#live = innermost.after.slice();
        return undefined;
      case op.CATCH:
        // In effect in the body, and, more than needed, in the arms before this one.
        innermost.handlers = innermost.handlers?.slice() ?? this.#newSet();
        addAll(innermost.handlers, this.#live);
        this.#live = innermost.after.slice();
        return undefined;
      case op.IF:
        addAll(this.#live, innermost.elseArm ?? innermost.after);
        break;
      case op.LOOP:
        this.#loopHead(construct);
        break;
      default:
    }
    this.#open.pop();
    return undefined;
  }

  #end(construct: number): void {
    const { kind, start } = this.#shape.constructs[construct]!;
    const after = this.#live.slice();
    const label = kind === op.LOOP ? (this.#heads.get(construct) ?? this.#newSet()) : after;
    const outer = this.#open.at(-1)!.handlers;
    const handlers = kind === op.TRY_TABLE ? this.#tableHandlers(start, outer) : outer;
    this.#open.push({ label, after, handlers, elseArm: null });
  }

  /** The labels of the clauses of a `try_table` count from outside of it. */
  #tableHandlers(start: number, outer: LocalSet | null): LocalSet {
    const handlers = outer?.slice() ?? this.#newSet();
    for (const label of this.#labels(start)) addAll(handlers, this.#labelSet(label));
    return handlers;
  }

  #loopHead(construct: number): void {
    let head = this.#heads.get(construct);
    if (!head) this.#heads.set(construct, (head = this.#newSet()));
    if (addAll(head, this.#live)) this.#changed = true;
  }

  #labels(index: number): number[] {
    return readLabels(this.#reader, this.#operations, index);
  }

  #labelSet(label: number): LocalSet {
    return this.#open.at(-1 - label)!.label;
  }

  #instruction(kind: number, index: number): void {
    const argument = this.#operations.argument[index]!;
    switch (kind) {
      case op.LOCAL_GET:
        return add(this.#live, argument);
      case op.LOCAL_SET:
      case op.LOCAL_TEE:
        return remove(this.#live, argument);
      case op.SITE:
        if (argument >= 0) this.#site(argument);
        return this.#mayThrow();
      case op.CALL:
        return this.#mayThrow();
      case op.BR:
      case op.BR_TABLE:
        this.#live.fill(0);
        return this.#mayBranch(index);
      case op.BR_IF:
      case op.BR_ON_NULL:
      case op.BR_ON_NON_NULL:
      case op.BR_ON_CAST:
        return this.#mayBranch(index);
      case op.THROW:
      case op.RETHROW:
        this.#live.fill(0);
        return this.#mayThrow();
      case op.RETURN:
      case op.UNREACHABLE:
      case op.RETURN_CALL:
      case op.OUTLINED_CALL:
        this.#live.fill(0);
        return undefined;
      default:
        return undefined;
    }
  }

  #mayBranch(index: number): void {
    for (const label of this.#labels(index)) addAll(this.#live, this.#labelSet(label));
  }

  #mayThrow(): void {
    const { handlers } = this.#open.at(-1)!;
    if (handlers) addAll(this.#live, handlers);
  }

  /** A frame saved here continues behind the call, or, if an exception is thrown into it, in a handler. */
  #site(site: number): void {
    this.#siteHomes.visit(site, (home) => add(this.#live, home));
    this.#mayThrow();
    addAll(this.#needed, this.#live);
  }
}

function has(set: LocalSet, local: number): boolean {
  return ((set[local >>> 5]! >>> (local & 31)) & 1) === 1;
}

function add(set: LocalSet, local: number): void {
  set[local >>> 5]! |= 1 << (local & 31);
}

function remove(set: LocalSet, local: number): void {
  set[local >>> 5]! &= ~(1 << (local & 31));
}

/** Returns whether `set` got larger. */
function addAll(set: LocalSet, others: LocalSet): boolean {
  let grew = false;
  for (let word = 0; word < set.length; word++) {
    const union = set[word]! | others[word]!;
    if (union >>> 0 !== set[word]!) grew = true;
    set[word] = union;
  }
  return grew;
}
