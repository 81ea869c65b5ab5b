/**
 * Which locals are needed at some site of a function: those whose value is read later on some path, before it is
 * written. Only they are saved.
 *
 * Ordinary backward data flow over the operations, with one set of locals per label. What is needed at the head of a loop
 * is only known after its body was read, so the whole is repeated until nothing changes: one to three times.
 *
 * Where that would take too long, everything is saved: it happens with code that no compiler makes.
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

/** Words of sets that may be read or written for one function. Real ones take up to some ten million. */
const MAX_WORK = 2 ** 29;
/** Words of sets that may be kept at a time. */
const MAX_KEPT = 2 ** 25;

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
  /** Whether the set is also in `#open`, so that it has to be copied before it changes. */
  #isShared = false;
  #open: OpenConstruct[] = [];
  #changed = false;
  #work = 0;

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
    } while (this.#changed && !this.#isTooMuch);
    const locals = this.#homes.locals.map((_, local) => local);
    return this.#isTooMuch ? locals : locals.filter((local) => has(this.#needed, local));
  }

  /** The locals that any of the loops needs at its head, in ascending order; to be asked for after {@link Liveness.savedLocals}. */
  neededAtLoops(loops: readonly number[]): number[] {
    const locals = this.#homes.locals.map((_, local) => local);
    if (this.#isTooMuch) return locals;
    const needed = this.#newSet();
    for (const loop of loops) {
      addAll(needed, this.#heads.get(loop)!);
      this.#siteHomes.visit(this.#shape.constructs[loop]!.firstSite, (home) => add(needed, home));
    }
    return locals.filter((local) => has(needed, local));
  }

  get #isTooMuch(): boolean {
    return this.#work > MAX_WORK || this.#open.length * this.#words > MAX_KEPT;
  }

  /** The set of what is needed, to be changed. */
  #ownLive(): LocalSet {
    if (this.#isShared) {
      this.#live = this.#live.slice();
      this.#isShared = false;
      this.#work += this.#words;
    }
    return this.#live;
  }

  #shareLive(): LocalSet {
    this.#isShared = true;
    return this.#live;
  }

  /** Nothing is needed: the code does not go on. */
  #clearLive(): void {
    if (this.#isShared) this.#live = this.#newSet();
    else this.#live.fill(0);
    this.#isShared = false;
    this.#work += this.#words;
  }

  #newSet(): LocalSet {
    return new Uint32Array(this.#words);
  }

  #pass(): void {
    const { insertions } = this.#homes;
    const operations = this.#operations;
    this.#clearLive();
    this.#open = [{ label: this.#newSet(), after: this.#newSet(), handlers: null, elseArm: null }];
    let insertion = insertions.length - 1;
    // The last operation is the end of the function.
    for (let index = operations.length - 2; index >= 0 && !this.#isTooMuch; index--) {
      for (; insertion >= 0 && insertions[insertion]!.position >= operations.end[index]!; insertion--) {
        for (const home of insertions[insertion]!.homes) remove(this.#ownLive(), home);
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
        this.#live = innermost.after;
        this.#isShared = true;
        return undefined;
      case op.CATCH:
        // In effect in the body, and, more than needed, in the arms before this one.
        innermost.handlers = innermost.handlers?.slice() ?? this.#newSet();
        addAll(innermost.handlers, this.#live);
        this.#live = innermost.after;
        this.#isShared = true;
        return undefined;
      case op.IF:
        addAll(this.#ownLive(), innermost.elseArm ?? innermost.after);
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
    const after = this.#shareLive();
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
        return add(this.#ownLive(), argument);
      case op.LOCAL_SET:
      case op.LOCAL_TEE:
        return remove(this.#ownLive(), argument);
      case op.SITE:
        if (argument >= 0) this.#site(argument);
        return this.#mayThrow();
      case op.CALL:
        return this.#mayThrow();
      case op.BR:
      case op.BR_TABLE:
        this.#clearLive();
        return this.#mayBranch(index);
      case op.BR_IF:
      case op.BR_ON_NULL:
      case op.BR_ON_NON_NULL:
      case op.BR_ON_CAST:
        return this.#mayBranch(index);
      case op.THROW:
      case op.RETHROW:
        this.#clearLive();
        return this.#mayThrow();
      case op.RETURN:
      case op.UNREACHABLE:
      case op.RETURN_CALL:
      case op.OUTLINED_CALL:
        this.#clearLive();
        return undefined;
      default:
        return undefined;
    }
  }

  #mayBranch(index: number): void {
    const labels = this.#labels(index);
    for (const label of labels) addAll(this.#ownLive(), this.#labelSet(label));
    this.#work += labels.length * this.#words;
  }

  #mayThrow(): void {
    const { handlers } = this.#open.at(-1)!;
    if (handlers) addAll(this.#ownLive(), handlers);
  }

  /** A frame saved here continues behind the call, or, if an exception is thrown into it, in a handler. */
  #site(site: number): void {
    const live = this.#ownLive();
    this.#siteHomes.visit(site, (home) => {
      add(live, home);
      this.#work++;
    });
    this.#work += this.#words;
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
