/** An instance of a guest, as users see it. */

import { Coroutine } from "../coroutine/coroutine.ts";
import type { Caller } from "./caller.ts";
import { optionsOf } from "./caller-options.ts";
import { CALL_OPTIONS, requireCallOptions } from "./check-options.ts";
import type { OptionNames } from "./check-options.ts";
import { STACK_POINTER } from "./entry-shims.ts";
import type { AnyExports, AsyncExports, AsyncFunction, FunctionName, FunctionOf } from "./exports.ts";
import type { GuestExport, GuestModule } from "./guest-module.ts";
import { GuestFunction } from "./guest-function.ts";
import type { HostFunctionType } from "./host-function.ts";
import type { CallOptions, FiberOptions, LinkedGuest } from "./linked-guest.ts";
import type { Meter } from "./meter.ts";
import type { StackPool } from "./stacks.ts";
import { Wormhole } from "./wormhole.ts";

/** How a coroutine begins. */
export interface CoroutineOptions extends FiberOptions {
  /**
   * Whether errors that leave it are linked to the stack that resumed it, by their property `coroutineStack`. Costs a few
   * microseconds at each resume; `false` when left out.
   */
  readonly backtraces?: boolean | undefined;
}

const COROUTINE_OPTIONS: OptionNames<CoroutineOptions> = { ...CALL_OPTIONS, args: true, backtraces: true };

interface InstanceParts<Exports extends object> {
  /** Is filled. */
  readonly sync: Record<string, unknown>;
  readonly meter: Meter | undefined;
  /** Makes another one. */
  readonly again: () => Promise<Instance<Exports>>;
}

/**
 * A linked guest.
 *
 * `exports` and `sync` have what the guest exports; memories, tables and globals are the same objects in both. The type parameter says
 * what that is, with functions as the guest sees them:
 *
 * ```ts
 * const instance = await instantiate<{ add(a: number, b: number): number; memory: WebAssembly.Memory }>(bytes, imports);
 * await instance.exports.add(1, 2);
 * ```
 */
export class Instance<Exports extends object = AnyExports> {
  /** Functions return a promise; while the guest waits for the host, the event loop goes on. Any number may be in flight. */
  readonly exports: AsyncExports<Exports>;
  /** Functions are plain calls: they return the result, and throw {@link SuspendError} if the guest would have to wait. */
  readonly sync: Readonly<Exports>;
  /** The compiled guest, to make further instances of. */
  readonly module: GuestModule;
  readonly #linked: LinkedGuest;
  readonly #meter: Meter | undefined;
  readonly #again: () => Promise<Instance<Exports>>;

  /** Made by `instantiate()`, not by users. */
  constructor(module: GuestModule, linked: LinkedGuest, { sync, meter, again }: InstanceParts<Exports>) {
    this.module = module;
    this.#linked = linked;
    this.#meter = meter;
    this.#again = again;
    const exports = Object.create(null) as Record<string, unknown>;
    for (const { name, kind } of module.exports) {
      const value = linked.raw.exports[name];
      sync[name] = kind === "function" ? (...args: unknown[]) => linked.callSync(name, args) : value;
      exports[name] =
        kind === "function" ? (...args: unknown[]) => linked.call(name, args, optionsOf(undefined)) : value;
    }
    Object.defineProperty(sync, INSTANCE, { value: this });
    this.sync = Object.freeze(sync) as Exports;
    this.exports = Object.freeze(exports) as AsyncExports<Exports>;
  }

  /** @internal Another instance of the same guest, with the same imports and options: what a thread runs in. */
  sibling(): Promise<Instance<Exports>> {
    return this.#again();
  }

  /** @internal Has its next call begin on that part of its memory as its own stack, and be ended where it goes beyond. */
  useStack({ low, top }: { readonly low: number; readonly top: number }): void {
    const pointer = this.raw.exports[STACK_POINTER] as WebAssembly.Global | undefined;
    if (typeof pointer?.value !== "number") return;
    pointer.value = top;
    this.stacks.boundOwn(low);
  }

  /** Itself, so that `const { instance } = await instantiate(…)` works as with `WebAssembly.instantiate`. */
  get instance(): this {
    return this;
  }

  /** The backend that runs it. */
  get backend(): string {
    return this.#linked.backend;
  }

  /** The engine's instance. Calls of its functions that suspend fail, and are not kept apart from others. */
  get raw(): WebAssembly.Instance {
    return this.#linked.raw;
  }

  /** The guest's first memory, exported or not. */
  get memory(): WebAssembly.Memory | undefined {
    return this.#linked.memory;
  }

  /** The stacks of its activations. */
  get stacks(): StackPool {
    return this.#linked.stacks;
  }

  /** Calls that wait for their turn: because too many stacks are live, or because this guest has no further one. */
  get waiting(): number {
    return this.#linked.waiting;
  }

  /**
   * What the guest may still cost, all its calls together, before it is ended with a {@link FuelExhaustedError}; `undefined` if that
   * is not counted. May be set at any time, also while the guest waits.
   *
   * @throws {TypeError} when it is set and not counted
   */
  get fuel(): number | undefined {
    return this.#meter?.fuel;
  }

  set fuel(fuel: number | bigint) {
    if (this.#meter !== undefined) this.#meter.fuel = fuel;
    else throw new TypeError("Cannot set fuel: it is not counted; instantiate the guest with interruptible: { fuel }");
  }

  /** Why calls of this guest wait for each other; `undefined` if they overlap. */
  get queueReason(): string | undefined {
    return this.#linked.stacks.queueReason;
  }

  /**
   * An exported function, to be called with options and as often as one likes. Its parameters and result are those that `Exports` says,
   * or what is given as type parameters.
   *
   * @param type checked against the guest's when given
   * @throws {TypeError} when there is no such function, or it has another type
   */
  function<Name extends FunctionName<Exports>>(
    name: Name,
    type?: HostFunctionType,
  ): GuestFunction<Parameters<FunctionOf<Exports, Name>>, Awaited<ReturnType<FunctionOf<Exports, Name>>>>;
  function<Params extends readonly unknown[] = unknown[], Result = unknown>(
    name: string,
    type?: HostFunctionType,
  ): GuestFunction<Params, Result>;
  function(name: string, type?: HostFunctionType): GuestFunction {
    return new GuestFunction(this.#linked, this.#functionExport(name), type);
  }

  /** The exported function `name` as a typed callable, checked once: `get_async().get2()` of wasmtime-async. */
  getAsync<Name extends FunctionName<Exports>>(
    name: Name,
    type?: HostFunctionType,
  ): AsyncFunction<FunctionOf<Exports, Name>>;
  getAsync<Callee extends (...args: never[]) => unknown = (...args: unknown[]) => unknown>(
    name: string,
    type?: HostFunctionType,
  ): AsyncFunction<Callee>;
  getAsync(name: string, type?: HostFunctionType): unknown {
    const callee = this.function(name, type);
    return (...args: unknown[]) => callee.call(args);
  }

  /**
   * A coroutine whose body is the exported function `name`. The first input is the function's argument, or an array of
   * them if it has several; with `options.args` it is ignored.
   *
   * @throws {TypeError} when there is no such function
   */
  coroutine<Input = unknown, Yield = unknown, Return = unknown>(
    name: string,
    options: CoroutineOptions = {},
  ): Coroutine<Input, Yield, Return> {
    requireCallOptions(`make coroutine "${name}"`, options, COROUTINE_OPTIONS);
    if (options.args !== undefined && !Array.isArray(options.args)) {
      throw new TypeError(`Cannot make coroutine "${name}": args must be an array, received ${typeof options.args}`);
    }
    const fiber = this.#linked.fiber(this.#functionExport(name), options);
    const coroutine = new Coroutine(fiber, options);
    fiber.attach(coroutine);
    // What crosses between host and guest is only known to the user, who says it in the type parameters.
    return coroutine as Coroutine<Input, Yield, Return>;
  }

  /** A lazy call: the exported function `name` starts when the result is awaited for the first time. */
  wormhole<Result = unknown>(name: string, args: readonly unknown[] = [], options: CallOptions = {}): Wormhole<Result> {
    const callee = this.function<readonly unknown[], Result>(name);
    return new Wormhole((signal) => callee.call(args, { ...options, signal }), options.signal);
  }

  #functionExport(name: string): GuestExport {
    const found = this.module.exportNamed(name);
    if (found?.kind === "function") return found;
    const names = this.module.exports.filter(({ kind }) => kind === "function").map((entry) => entry.name);
    const what = found === undefined ? "no such export" : `a ${found.kind}`;
    throw new TypeError(
      `Cannot find function "${name}": the guest has ${what}; its functions are ${names.join(", ") || "none"}`,
    );
  }
}

/** Where what a {@link Caller} shows as exports has the instance that it is of. */
const INSTANCE = Symbol("stackful.instance");

/** The instance that called a host function. */
export function instanceOf({ exports }: Pick<Caller, "exports">): Instance | undefined {
  return (exports as { readonly [INSTANCE]?: Instance })[INSTANCE];
}
