/**
 * Backend `jspi`: the engine's own stacks, by JavaScript Promise Integration (WebAssembly/js-promise-integration).
 *
 * - create: an export, entered through `WebAssembly.promising`, runs on a stack of the engine's
 * - suspend: the link module calls a `WebAssembly.Suspending` import with the promise to wait for
 * - resume: the engine does it, in the microtask that settles the promise; never synchronously
 * - unwind: the promise is rejected; to end a body that does not stop, with a trap that it cannot catch
 *
 * Costs of V8 14.6: 80 ns for a suspension, whatever the depth; 4 KiB for a stack that is suspended, and 2 of the 65,530 mappings
 * that Linux allows a process: with more the process aborts, which is why the number of live stacks is limited. A stack whose
 * promise never settles is never freed.
 *
 * What the guest's own memory has for a stack, and which activation is running, is the business of the link module: see
 * link/import-shims.ts, link/entry-shims.ts and, for the memory that they share, link/switchboard.ts.
 */

import type { SyncRefusal } from "../coroutine/fiber.ts";
import { guestStarted, isGuestWatched } from "../coroutine/guest-trace.ts";
import type { GuestTrace } from "../coroutine/guest-trace.ts";
import { runHook } from "../link/activation.ts";
import { Admission, NATIVE_STACKS, activationEnded } from "../link/admission.ts";
import { Calls } from "../link/calls.ts";
import type { Run } from "../link/calls.ts";
import { failureOf, stackGlobals, stackStateAt } from "../link/failure.ts";
import type { StackGlobals, StackState } from "../link/failure.ts";
import { GuestBody, endWith } from "../link/guest-body.ts";
import type { BodyRunner } from "../link/guest-body.ts";
import type { GuestModule } from "../link/guest-module.ts";
import { callerFunction, isAsyncFunction, isExportedFunction } from "../link/host-function.ts";
import { ImportSide } from "../link/import-side.ts";
import { bindCaller, lookUpImport, nestImports, refusePromises } from "../link/imports.ts";
import type { HostImports } from "../link/imports.ts";
import { buildLinkModule, linkEntries } from "../link/link-module.ts";
import type { Entry, LinkModule, LinkedEntries, LinkedHost } from "../link/link-module.ts";
import type {
  CallOptions,
  FiberBody,
  FiberOptions,
  GuestFiber,
  LinkedGuest,
  LinkOptions,
} from "../link/linked-guest.ts";
import type { PreparedGuest } from "../link/prepare.ts";
import { guestMemory, makeStackPool } from "../link/guest-stacks.ts";
import type { StackPool } from "../link/stacks.ts";
import { callSynchronously } from "../link/synchronous-call.ts";
import {
  AWAITED,
  BASE,
  CURRENT,
  GENERATION,
  GUEST,
  INNER,
  LIMIT,
  OUTER,
  OUTER_INNER,
  countEnd,
  countStart,
  readAddress,
  readWord,
  words,
  writeWord,
  THREW,
} from "../link/switchboard.ts";
import { keepingEdits } from "./kept-edits.ts";
import { packedMemories } from "./packaged-guest.ts";
import { Suspending, promising } from "./promise-integration.ts";
import type { CacheOption } from "./transformed-guest.ts";

/** Why this runtime cannot use the backend; `undefined` if it can. */
export function jspiRefusal(): string | undefined {
  if (Suspending !== undefined && promising !== undefined) return undefined;
  return "the engine has no WebAssembly.Suspending (Node has it from 24.20, Chrome from 137, Firefox from 153, Safari from 27)";
}

/** Compiles what instances of a guest share. */
export async function prepareForJspi(module: GuestModule, cache?: CacheOption): Promise<void> {
  if (module.prepared !== undefined) await linkModuleOf(module, module.prepared, cache);
}

/** Why a coroutine cannot be resumed on the stack of its caller. */
export const NEVER_SYNC: SyncRefusal = {
  backend: "jspi",
  reason: "the engine resumes its stacks from the microtask queue, never synchronously; backend transform can",
};

/**
 * Guest's block → its link, to end an activation of one guest while another is running. An entry whose link was collected stays
 * until the block is given to another guest.
 */
const guests = new Map<number, WeakRef<JspiGuest>>();
/** Record → the link that has started the activation of this generation, if several guests share the block. */
const starters = new Map<number, { readonly generation: number; readonly link: WeakRef<JspiGuest> }>();
/** Activation → where its stack pointer was when a trap cut it off, until its rejection is handled. */
const cutOff = new Map<string, StackState>();

const UNSHIMMED = "its type has a v128, an exnref or a reference to a type of the guest's own";

export class JspiGuest implements LinkedGuest, BodyRunner {
  readonly backend = "jspi";
  readonly raw: WebAssembly.Instance;
  readonly memory: WebAssembly.Memory | undefined;
  readonly stacks: StackPool;
  readonly #calls: Calls;
  readonly #linked: LinkedEntries;
  readonly #promising = new Map<string, Entry>();
  readonly #globals: StackGlobals | undefined;
  /** Names of the imports that it can wait in. */
  readonly #importNames: readonly string[];

  static async link(module: GuestModule, imports: HostImports, options: LinkOptions): Promise<JspiGuest> {
    const { prepared } = module;
    if (prepared === undefined) throw new TypeError("Cannot link guest: its bytes are needed");
    const caller: { memory: WebAssembly.Memory | undefined } & Pick<LinkOptions, "exports"> = {
      memory: undefined,
      exports: options.exports,
    };
    const link = await linkModuleOf(module, prepared);
    const values = module.imports.map((wanted, position) => lookUpImport(wanted, position, imports));
    const hosts = link.shims.map(({ position }) => {
      const body = values[position] as Function;
      const { module: from, name, type } = module.imports[position]!;
      return {
        module: from,
        name,
        results: type!.results,
        paramCount: type!.params.length,
        // Not itself: the shim calls it for an externref, which is not its type. Nor may it suspend with its caller: nothing
        // would keep the activations of its guest apart.
        host: isExportedFunction(body)
          ? (...args: unknown[]): unknown => Reflect.apply(body, undefined, args)
          : bindCaller(body, caller, type?.params.length),
        alwaysAwaits: isAsyncFunction(body) && callerFunction(body) === undefined,
      };
    });
    const side = new ImportSide(hosts);
    const shims = new Map(link.shims.map(({ position }, shim) => [position, side.ask(shim, hosts[shim]!.paramCount)]));
    for (const [position, value] of values.entries()) {
      if (typeof value !== "function") continue;
      const shim = shims.get(position);
      if (shim !== undefined) values[position] = shim;
      // A function of another guest can take and return what JavaScript cannot.
      else if (!isExportedFunction(value)) {
        const host = bindCaller(value, caller);
        values[position] = refusePromises((args) => host(...args), module.imports[position]!, UNSHIMMED);
      }
    }
    const imported = { ...nestImports(module.imports, values), ...packedMemories(module) };
    const raw = await WebAssembly.instantiate(link.guest, imported);
    caller.memory = guestMemory(raw);
    return new JspiGuest(prepared, raw, options, { link, side, hosts });
  }

  private constructor(
    prepared: PreparedGuest,
    raw: WebAssembly.Instance,
    options: LinkOptions,
    { link, side, hosts }: { link: LinkModule; side: ImportSide; hosts: readonly LinkedHost[] },
  ) {
    this.raw = raw;
    this.memory = guestMemory(raw);
    this.#globals = stackGlobals(raw);
    this.stacks = makeStackPool(prepared, raw, options, (body) => this.#synchronously(body));
    const { guest } = this.stacks;
    this.#importNames = side.names;
    this.#calls = new Calls(this.stacks, new Admission(this.stacks, NATIVE_STACKS, options.maxLive), this.#importNames);
    this.#linked = linkEntries(link, raw, {
      side,
      hosts,
      entrySide: {
        guest,
        suspending: (body) => new Suspending!(body),
        hook: runHook,
        ended: activationEnded,
        cutOff: endCutOff,
      },
    });
    // What runs already is of the guest that it is shared with; what begins from now on has its starter.
    if (!this.stacks.isShared) guests.set(guest, new WeakRef(this));
  }

  get waiting(): number {
    return this.#calls.waiting;
  }

  call(name: string, args: readonly unknown[], options?: CallOptions): Promise<unknown> {
    const entry = this.#entry(name);
    if (entry === undefined) return this.#callUnshimmed(name, args);
    if (options === undefined && words[CURRENT >> 2] === 0) {
      const record = this.#calls.admitPlain();
      if (record !== 0) return this.#run(entry, record, args);
    }
    return this.#start(entry, args, options);
  }

  /** Apart from {@link JspiGuest.call}, so that a call which begins at once makes no closure. */
  #start(entry: Entry, args: readonly unknown[], options: CallOptions | undefined): Promise<unknown> {
    return this.#calls.start((record) => this.#run(entry, record, args), options);
  }

  callSync(name: string, args: readonly unknown[]): unknown {
    const body = this.raw.exports[name] as (...args: readonly unknown[]) => unknown;
    return this.#synchronously(() => body(...args));
  }

  fiber(body: FiberBody, options: FiberOptions): GuestFiber {
    return new GuestBody(this, body, options);
  }

  startBody(body: GuestBody, input: unknown): void {
    endWith(body, this.#runBody(body, input));
  }

  syncRefusal(): SyncRefusal {
    return NEVER_SYNC;
  }

  async #runBody(body: GuestBody, input: unknown): Promise<unknown> {
    const entry = this.#entry(body.name);
    const args = body.takeArguments(input);
    if (entry === undefined) return this.#callUnshimmed(body.name, args);
    const run: Run = (record) => this.#run(entry, record, args);
    return this.#calls.startActivation(run, body, body.options);
  }

  /** Starts an activation on `record`. */
  #run(entry: Entry, record: number, args: readonly unknown[]): Promise<unknown> {
    const generation = words[(record + GENERATION) >> 2]!;
    countStart(this.stacks.guest);
    words[THREW >> 2] = 0;
    if (this.stacks.isShared) starters.set(record, { generation, link: new WeakRef(this) });
    let promise: Promise<unknown>;
    try {
      // A spread costs 20 ns.
      promise = (args.length === 1 ? entry(record, args[0]) : entry(record, ...args)) as Promise<unknown>;
    } catch (error) {
      // An argument did not convert: the guest was not entered.
      countEnd(this.stacks.guest);
      this.stacks.giveBack(record);
      return Promise.reject(error);
    }
    // Whoever runs to the first suspension or to the end is left by generated code; only a trap leaves it behind.
    if (words[CURRENT >> 2] === record) this.endCutOff(record);
    else if (words[(record + GENERATION) >> 2] !== generation && words[THREW >> 2] === 0) return promise;
    const ended = this.#orFailure(promise, record, generation);
    if (isGuestWatched()) this.#watch(ended, record, generation);
    return ended;
  }

  /** Tells whoever it runs for that it does, and when it has ended. */
  #watch(ended: Promise<unknown>, record: number, generation: number): void {
    const trace = new RecordTrace(record, generation, this.#importNames);
    const owner = guestStarted(trace);
    const end = (): void => owner?.guestEnded(trace);
    ended.then(end, end);
  }

  /** Apart from {@link JspiGuest.call}, so that a call which does not wait makes no closure. */
  #orFailure(promise: Promise<unknown>, record: number, generation: number): Promise<unknown> {
    return promise.then(undefined, (error: unknown) => {
      throw this.#failure(error, record, generation);
    });
  }

  #failure(error: unknown, record: number, generation: number): unknown {
    if (words[(record + GENERATION) >> 2] === generation) this.endCutOff(record);
    const key = activationKey(record, generation);
    const state = cutOff.get(key);
    cutOff.delete(key);
    return failureOf(error, state);
  }

  /** Ends an activation whose guest code a trap has cut off: while it ran, or while it was suspended, by a reset. */
  endCutOff(record: number): void {
    if (words[CURRENT >> 2] !== record) {
      // Whoever was around it when it was entered has long gone on: there is nothing to go back to.
      writeWord(record, OUTER, words[CURRENT >> 2]!);
      writeWord(record, OUTER_INNER, readWord(this.stacks.guest, INNER));
    } else if (this.#globals !== undefined) {
      cutOff.set(
        activationKey(record, readWord(record, GENERATION)),
        stackStateAt(this.#globals, readAddress(record, LIMIT), readAddress(record, BASE)),
      );
    }
    this.#linked.end(record);
  }

  #entry(name: string): Entry | undefined {
    const known = this.#promising.get(name);
    if (known !== undefined) return known;
    const entry = this.#linked.entries.get(name);
    if (entry === undefined) return undefined;
    const made = promising!(entry);
    this.#promising.set(name, made);
    return made;
  }

  /** Functions with types that no shim can pass on run without a stack of their own; most of them only say so. */
  async #callUnshimmed(name: string, args: readonly unknown[]): Promise<unknown> {
    return this.callSync(name, args);
  }

  #synchronously<Result>(body: () => Result): Result {
    return callSynchronously(this.stacks.guest, this.#globals, body, endCutOff);
  }
}

/** What can be known of a stack of the engine's. */
class RecordTrace implements GuestTrace {
  readonly frames: readonly string[] = [];
  readonly #record: number;
  readonly #generation: number;
  readonly #importNames: readonly string[];

  constructor(record: number, generation: number, importNames: readonly string[]) {
    this.#record = record;
    this.#generation = generation;
    this.#importNames = importNames;
  }

  get awaitedImport(): string | undefined {
    const isOver = readWord(this.#record, GENERATION) !== this.#generation;
    if (isOver || words[CURRENT >> 2] === this.#record) return undefined;
    return this.#importNames[readWord(this.#record, AWAITED) - 1];
  }
}

/** A record is used again at once, maybe before the rejection of its last activation is handled. */
function activationKey(record: number, generation: number): string {
  return `${record} ${generation}`;
}

function endCutOff(record: number): void {
  const starter = starters.get(record);
  // The record may have belonged to a guest that was collected: no block ever has a generation again.
  const isStarter = starter?.generation === readWord(record, GENERATION);
  (isStarter ? starter.link : guests.get(readWord(record, GUEST)))?.deref()?.endCutOff(record);
}

function linkModuleOf(module: GuestModule, prepared: PreparedGuest, cache?: CacheOption): Promise<LinkModule> {
  const known = module.generated.get("jspi") as Promise<LinkModule> | undefined;
  const link = known ?? buildLinkModule(prepared, keepingEdits(cache));
  module.generated.set("jspi", link);
  return link;
}
