/** What evaluations (quickjs-runtime.ts) and functions of the host (quickjs-host-calls.ts) share: values, errors, and whose turn it is. */

import type { FunctionReference, HostFunction, RuntimeOptions } from "../language.ts";
import type { ScriptRun } from "../script-run.ts";
import { decodeWire, encodeWire } from "../wire.ts";
import type { WireTarget } from "../wire.ts";
import { PRELUDE, PRELUDE_FUNCTIONS } from "./prelude.ts";
import type { PreludeFunction } from "./prelude.ts";
import { QuickJSActivation, exchangeException, runWithoutActivation } from "./quickjs-activation.ts";
import type { Exception, Turn } from "./quickjs-activation.ts";
import type { QuickJSFunctionName } from "./quickjs-functions.ts";
import type { QuickJSInstance } from "./quickjs-instance.ts";
import { HostReferences } from "../host-references.ts";
import { QuickJSValues } from "./quickjs-values.ts";

/** A function of the host that works on values of the engine: its result is owned by the engine, 0 is `undefined`. */
export type NativeFunction = (count: number, args: number) => number | Promise<number>;

/** Milliseconds that a plain call may take: enough for the largest values. */
const PLAIN_CALL_MS = 1000;
const ENDLESS_LOOP = "() => { for (;;); }";

/** What code of a script has thrown while the host read one of its values. */
export class ThrownByScript {
  /** Owned. */
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

export class QuickJSEngine {
  readonly instance: QuickJSInstance;
  readonly values: QuickJSValues;
  readonly references: HostReferences;
  readonly target: WireTarget;
  /** Address of the word that has QuickJS look for garbage when it is 0. */
  readonly gcThreshold: number | undefined;
  readonly #turn: Turn;
  readonly #prelude: ReadonlyMap<PreludeFunction, number>;
  readonly #endlessLoop: number;
  /** What activations that have ended with an exception have thrown, by what they have returned, until somebody takes it. */
  readonly #thrown = new Map<number, Exception>();
  /** Whether what runs now has to end at once. */
  isEnding = false;
  /** Plain calls of the prelude that are under way: nobody can wait in them. */
  #plainCalls = 0;
  #plainStart = 0;
  /** Why it cannot be used any more. */
  broken: unknown;

  constructor(
    instance: QuickJSInstance,
    references: HostReferences,
    options: RuntimeOptions & {
      readonly fromScript: (id: number, name: string) => unknown;
      readonly settled: NativeFunction;
    },
  ) {
    this.instance = instance;
    this.references = references;
    const { memory, runtime } = instance;
    this.values = new QuickJSValues(instance, (source) => instance.evaluate(source));
    const layout = instance.findLayout((look) =>
      references.keep((): number => {
        look();
        return 0;
      }),
    );
    this.#turn = {
      current: undefined,
      stackFrame: runtime + layout.stackFrame,
      stackLimit: runtime + layout.stackLimit,
      exception: runtime + layout.exception,
      noException: [memory.read(runtime + layout.exception), memory.read(runtime + layout.exception + 4)],
      stackBytes: options.stackBytes,
      stackPointer: () => instance.stackPointer(),
      read: (address) => memory.read(address),
      write: (address, word) => memory.write(address, word),
    };
    this.gcThreshold = layout.gcThreshold === undefined ? undefined : runtime + layout.gcThreshold;
    this.target = this.#wireTarget(options);
    this.#endlessLoop = instance.evaluate(ENDLESS_LOOP);
    this.#prelude = this.#startPrelude(options.settled);
  }

  /** Whose code runs; `undefined` in a plain call, where nobody can wait. */
  get activation(): QuickJSActivation | undefined {
    return this.#plainCalls > 0 ? undefined : this.#turn.current;
  }

  /** Whose code runs, or has led to it. */
  get run(): ScriptRun | undefined {
    return this.#turn.current?.run;
  }

  /** Calls what may run code of scripts, and wait. The result is owned; nothing can be done any more if this rejects. */
  async enter(name: QuickJSFunctionName, args: readonly unknown[], run: ScriptRun): Promise<number> {
    if (this.broken !== undefined)
      throw new Error("Cannot run script: its engine has failed before", { cause: this.broken });
    const { instance } = this;
    // Its stack, if it has to have another than the engine's own, is taken before it is entered.
    const stackBytes = instance.stackBytes;
    let hasStarted = false;
    const started = (): void => {
      hasStarted = true;
      instance.limit.endException(instance.stackBytes - stackBytes);
    };
    instance.limit.beginException();
    const activation = new QuickJSActivation(this.#turn, run, started);
    const { onEnter, onLeave } = activation;
    try {
      const result = await instance.enter(name, args, { onEnter, onLeave });
      if (this.values.isException(result)) this.#thrown.set(result, activation.exception);
      return result;
    } catch (error) {
      // Nothing that a script does comes here: frames of the engine were cut off, so that it cannot go on. Or it has never begun, because there
      // is no stack for it, of the host's or of the engine's.
      if (hasStarted) this.broken = error;
      else started();
      throw error;
    }
  }

  /** Whether a plain call goes on for so long that it has to be ended: getters of scripts may run in it, and nothing else can. */
  get isPlainCallLate(): boolean {
    return this.#plainCalls > 0 && performance.now() - this.#plainStart > PLAIN_CALL_MS;
  }

  /** What was thrown, owned, for a result that says that something was; frees that. */
  takeThrown(result: number): number {
    const { functions, context } = this.instance;
    const exception = this.#thrown.get(result);
    this.#thrown.delete(result);
    if (exception !== undefined) exchangeException(this.#turn, exception);
    const thrown = functions.QTS_ResolveException(context, result);
    this.values.free(result);
    return thrown;
  }

  /** Calls a function of the prelude, in which nobody can wait. Frees the arguments; the result is owned. */
  plainCall(name: PreludeFunction, args: readonly number[]): number {
    if (this.#plainCalls++ === 0) this.#plainStart = performance.now();
    const call = (): number => this.instance.call(this.#prelude.get(name)!, args);
    try {
      return this.#turn.current === undefined ? runWithoutActivation(this.#turn, call) : call();
    } finally {
      this.#plainCalls--;
      for (const value of args) this.values.free(value);
    }
  }

  /** Calls a function of the prelude in which scripts may wait: it calls their functions. Frees the arguments. */
  async preludeCall(name: PreludeFunction, args: readonly number[], run: ScriptRun): Promise<number> {
    const { instance, values } = this;
    const { functions, context } = instance;
    const list = instance.argumentList(args);
    try {
      const parameters = [context, this.#prelude.get(name)!, functions.QTS_GetUndefined(), args.length, list];
      return await this.enter("QTS_Call", parameters, run);
    } finally {
      functions.free(list);
      for (const value of args) values.free(value);
    }
  }

  /** An owned value. @throws {TypeError} when it cannot cross */
  toScript(value: unknown): number {
    const simple = this.values.make(value);
    if (simple !== undefined) return simple;
    const made = this.plainCall("value", this.values.makeWire(encodeWire(value, this.target)));
    if (!this.values.isException(made)) return made;
    this.values.free(made);
    throw new RangeError("Cannot pass value to script: its memory is full");
  }

  /** What a wire holds that the prelude has made. */
  readWire(wire: number): unknown {
    return decodeWire(this.values.readWire(wire), this.target);
  }

  /** The same of an owned one. */
  takeWire(wire: number): unknown {
    try {
      return this.readWire(wire);
    } finally {
      this.values.free(wire);
    }
  }

  /** Throws in the engine, now, what a function of the host has thrown. */
  raise(error: unknown): void {
    const { functions, context } = this.instance;
    const value = error instanceof ThrownByScript ? error.value : this.#errorValue(error);
    this.values.free(functions.QTS_Throw(context, value));
    this.values.free(value);
  }

  #errorValue(error: unknown): number {
    try {
      if (!(error instanceof Error)) return this.toScript(error);
      const { text } = encodeWire(error, this.target);
      const value = this.plainCall("error", [this.values.makeString(text)]);
      return this.values.isException(value) ? this.takeThrown(value) : value;
    } catch {
      return this.values.makeString("A function of the host has thrown something that a script cannot be given");
    }
  }

  /** Throws in the engine, now, what no script can catch: that a loop was interrupted. */
  raiseEnding(): void {
    const { instance, values } = this;
    // There has to be room for it.
    instance.limit.beginException();
    this.isEnding = true;
    this.#plainCalls++;
    try {
      values.free(instance.call(this.#endlessLoop, []));
    } finally {
      this.#plainCalls--;
      this.isEnding = false;
      instance.limit.endException();
    }
  }

  #startPrelude(settled: NativeFunction): Map<PreludeFunction, number> {
    const { instance, values, references } = this;
    const { functions, context } = instance;
    const natives: readonly NativeFunction[] = [
      (_, args) => this.#newFunction(Number(values.read(args)), String(values.read(values.argument(args, 1)))),
      (_, args) => functions.QTS_NewHostRef(context, Number(values.read(args))),
      (_, args) => values.make(functions.QTS_GetHostRefId(args))!,
      settled,
    ];
    const start = instance.evaluate(PRELUDE);
    const args = natives.map((native) => this.#newFunction(references.keep(native), "native"));
    const list = instance.call(start, args);
    const found = PRELUDE_FUNCTIONS.map((name, index): [PreludeFunction, number] => [
      name,
      functions.QTS_GetPropNumber(context, list, index),
    ]);
    for (const value of [start, list, ...args]) values.free(value);
    return new Map(found);
  }

  #newFunction(id: number, name: string): number {
    const { functions, memory, context } = this.instance;
    const text = memory.copyText(name);
    try {
      return functions.QTS_NewFunction(context, text.address, 0, 0, id);
    } finally {
      functions.free(text.address);
    }
  }

  #wireTarget(options: RuntimeOptions & { readonly fromScript: (id: number, name: string) => unknown }): WireTarget {
    const { references } = this;
    return {
      fromScript: options.fromScript,
      referenceOf: (value): FunctionReference | undefined => options.functions.referenceOf(value),
      keepFunction: (callee: HostFunction) => references.keep({ callee }),
      hostFunction: (id) => (references.get(id) as { callee: HostFunction }).callee,
      keepError: (error) => references.keep(error),
      hostError: (id) => references.get(id),
    };
  }
}
