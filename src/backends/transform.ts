/**
 * Backend `transform`: a compiler makes the guest able to save its frames and to continue them, on any engine.
 *
 * - create: an export of the transformed module is called
 * - suspend: an import has the guest return frame by frame, each saves what it needs; see transform/abi.ts
 * - resume: the innermost saved frame goes on, on the stack of whoever resumes it; the next ones when it has returned
 * - unwind: what is thrown is delivered to the saved frames that have handlers; a reset drops the frames
 *
 * Everything happens in JavaScript calls that return, so the switches around a stack are called from here. Which activation is
 * running, and what the guest's own memory has for its stack, is kept as on every backend: see link/switchboard.ts.
 */

import { StackExhaustedError, SuspendError } from "../coroutine/errors.ts";
import type { SyncRefusal } from "../coroutine/fiber.ts";
import { forgetActivation, runHook } from "../link/activation.ts";
import type { Activation, Waiter } from "../link/activation.ts";
import { Admission, SAVED_STACKS, activationEnded } from "../link/admission.ts";
import { Calls } from "../link/calls.ts";
import type { Run as StartRun } from "../link/calls.ts";
import { defer } from "../link/deferred.ts";
import type { Deferred } from "../link/deferred.ts";
import { failureOf, stackGlobals, stackStateAt } from "../link/failure.ts";
import type { StackGlobals } from "../link/failure.ts";
import { GuestBody } from "../link/guest-body.ts";
import type { BodyRunner } from "../link/guest-body.ts";
import type { GuestModule } from "../link/guest-module.ts";
import { guestMemory, makeStackPool } from "../link/guest-stacks.ts";
import { isExportedFunction } from "../link/host-function.ts";
import { bindCaller, lookUpImport, nestImports, refusePromises } from "../link/imports.ts";
import type { HostImports } from "../link/imports.ts";
import type {
  CallOptions,
  FiberBody,
  FiberOptions,
  GuestFiber,
  LinkedGuest,
  LinkOptions,
} from "../link/linked-guest.ts";
import type { PreparedGuest } from "../link/prepare.ts";
import type { StackPool } from "../link/stacks.ts";
import { linkSwitches } from "../link/switch-module.ts";
import type { GuestSwitches } from "../link/switch-module.ts";
import {
  BASE,
  FLAGS,
  INNER,
  LIMIT,
  MAIN,
  ON_MAIN_STACK,
  OUTER_INNER,
  SAVED,
  SYNCHRONOUS,
  countStart,
  readAddress,
  readWord,
  writeWord,
} from "../link/switchboard.ts";
import { callSynchronously } from "../link/synchronous-call.ts";
import { AreaExhaustedError, ExcludedFunctionError } from "../transform/run-errors.ts";
import { SuspendableInstance } from "../transform/suspendable-instance.ts";
import type { Outcome, SuspendedStack } from "../transform/suspended-stack.ts";
import { SuspendableImports, convertedArguments } from "./transform-imports.ts";
import { Run } from "./transform-run.ts";
import type { RunningGuest } from "./transform-run.ts";
import { transformedGuest } from "./transformed-guest.ts";
import type { CacheOption, TransformedGuest } from "./transformed-guest.ts";

/** Why this runtime cannot use the backend; `undefined` if it can. */
export function transformRefusal(): string | undefined {
  return typeof WebAssembly === "object" ? undefined : "the runtime has no WebAssembly";
}

/** Transforms and compiles a guest, once for all of its instances. */
export async function prepareForTransform(module: GuestModule, cache?: CacheOption): Promise<void> {
  await transformedGuest(module, requirePrepared(module), cache);
}

function requirePrepared({ prepared }: GuestModule): PreparedGuest {
  if (prepared === undefined) throw new TypeError("Cannot link guest: backend transform needs its bytes");
  return prepared;
}

const UNSHIMMED = "its type has a v128 or an exnref, or it is imported with several types";
const EXCLUDED = "it was excluded when the guest was transformed";

export class TransformGuest implements LinkedGuest, BodyRunner, RunningGuest {
  readonly backend = "transform";
  readonly raw: WebAssembly.Instance;
  readonly memory: WebAssembly.Memory | undefined;
  readonly stacks: StackPool;
  readonly #driver: SuspendableInstance;
  readonly #imports: SuspendableImports;
  readonly #calls: Calls;
  readonly switches: GuestSwitches;
  readonly #globals: StackGlobals | undefined;
  /** Exported function → types of its parameters. */
  readonly #params: ReadonlyMap<string, readonly string[]>;

  static async link(module: GuestModule, imports: HostImports, options: LinkOptions): Promise<TransformGuest> {
    const prepared = requirePrepared(module);
    const guest = await transformedGuest(module, prepared);
    const caller: { memory: WebAssembly.Memory | undefined } & Pick<LinkOptions, "exports"> = {
      memory: undefined,
      exports: options.exports,
    };
    const values = module.imports.map((wanted, position) => lookUpImport(wanted, position, imports));
    const side = new SuspendableImports(
      guest.suspendable.map((position) => {
        const { module: from, name, type } = module.imports[position]!;
        return {
          module: from,
          name,
          ...type!,
          host: bindCaller(values[position] as Function, caller, type!.params.length),
        };
      }),
    );
    const suspendable = new Set(guest.suspendable);
    for (const [position, value] of values.entries()) {
      if (typeof value !== "function" || suspendable.has(position)) continue;
      // A function of another guest can take and return what JavaScript cannot.
      if (!isExportedFunction(value)) {
        const host = bindCaller(value, caller);
        const [why, reason] = guest.excluded.has(position) ? ([EXCLUDED, "excluded"] as const) : [UNSHIMMED];
        values[position] = refusePromises((args) => host(...args), module.imports[position]!, why, reason);
      }
    }
    const driver = new SuspendableInstance(guest.transformed, nestImports(module.imports, values), {
      wrapImport: (_, entry, suspend) => side.wrap(side.position(entry), suspend),
    });
    caller.memory = guestMemory(driver.instance);
    return new TransformGuest(module, options, { guest, driver, side });
  }

  private constructor(
    module: GuestModule,
    options: LinkOptions,
    { guest, driver, side }: { guest: TransformedGuest; driver: SuspendableInstance; side: SuspendableImports },
  ) {
    const raw = driver.instance;
    this.raw = raw;
    this.#driver = driver;
    this.#imports = side;
    this.memory = guestMemory(raw);
    this.#globals = stackGlobals(raw);
    this.stacks = makeStackPool(requirePrepared(module), raw, options, (body) => this.#synchronously(body));
    this.#params = new Map(
      module.exports.flatMap(({ name, type }) => (type === undefined ? [] : [[name, type.params]])),
    );
    side.guest = this.stacks.guest;
    this.#calls = new Calls(this.stacks, new Admission(this.stacks, SAVED_STACKS, options.maxLive), side.names);
    this.switches = linkSwitches(guest.switches, raw, { guest: side.guest, hook: runHook, ended: activationEnded });
  }

  get waiting(): number {
    return this.#calls.waiting;
  }

  call(name: string, args: readonly unknown[], options?: CallOptions): Promise<unknown> {
    return this.#calls.start((record) => this.#run(record, name, args), options);
  }

  callSync(name: string, args: readonly unknown[]): unknown {
    const record = this.#isMainStackSuspended ? this.stacks.take() : 0;
    const body = (): unknown => this.#callInside(name, args);
    return record === 0 ? this.#synchronously(body) : this.#synchronouslyOn(record, body);
  }

  fiber(body: FiberBody, options: FiberOptions): GuestFiber {
    return new GuestBody(this, body, options);
  }

  startBody(body: GuestBody, input: unknown): void {
    let args: readonly unknown[];
    try {
      args = this.#argumentsFor(body.name, body.takeArguments(input));
    } catch (error) {
      body.reject(error);
      return;
    }
    const record = body.isResumedSynchronously ? this.#calls.admitNow(body, body.options) : 0;
    if (record === 0) this.#startInTurn(body, args);
    else new Run(this, record, body).begin(body.name, args);
  }

  #startInTurn(body: GuestBody, args: readonly unknown[]): void {
    const run: StartRun = (record) => {
      const ended = defer<void>();
      new Run(this, record, new EndedBody(body, ended)).begin(body.name, args);
      return ended.promise;
    };
    this.#calls.startActivation(run, body, body.options).catch((error: unknown) => body.reject(error));
  }

  syncRefusal({ record }: Activation): SyncRefusal | undefined {
    if (record === 0 || this.isOnTop(record)) return undefined;
    const reason = "its stack lies below that of a call that is running, on the only stack of this guest";
    return { backend: this.backend, reason };
  }

  begin(stack: SuspendedStack, name: string, args: readonly unknown[]): Outcome {
    const below = this.#imports.entered();
    try {
      return this.#driver.startOn(stack, name, args);
    } finally {
      this.#imports.left(below);
    }
  }

  proceed(stack: SuspendedStack, area: number, value: unknown, moreValues: readonly unknown[]): Outcome {
    const below = this.#imports.entered();
    try {
      return this.#driver.proceed(stack, area, value, moreValues);
    } finally {
      this.#imports.left(below);
    }
  }

  proceedThrowing(stack: SuspendedStack, area: number, error: unknown): Outcome {
    const below = this.#imports.entered();
    try {
      return this.#driver.proceedThrowing(stack, area, error);
    } finally {
      this.#imports.left(below);
    }
  }

  drop(area: number): void {
    this.#driver.drop(area);
  }

  framesOf(area: number): readonly string[] {
    return this.#driver.framesOf(area);
  }

  isList(position: number): boolean {
    return this.#imports.isList(position);
  }

  importName(position: number): string | undefined {
    return this.#imports.names[position];
  }

  checked(position: number, answer: unknown): unknown {
    return this.#imports.checked(position, answer);
  }

  failure(error: unknown, record: number): unknown {
    if (error instanceof AreaExhaustedError) {
      return new StackExhaustedError(error.limit, error.needed, error.message, { cause: error });
    }
    if (error instanceof ExcludedFunctionError) return new SuspendError("excluded", error.message, { cause: error });
    const stack = this.#globals && stackStateAt(this.#globals, readAddress(record, LIMIT), readAddress(record, BASE));
    return failureOf(error, stack);
  }

  /** A synchronous call runs on the stack of whatever it interrupts: the guest's own one if that is nothing. */
  isOnTop(record: number): boolean {
    if ((readWord(record, FLAGS) & ON_MAIN_STACK) === 0) return true;
    for (let inner = readWord(this.stacks.guest, INNER); inner !== 0; inner = readWord(inner, OUTER_INNER)) {
      const flags = readWord(inner, FLAGS);
      const isOutermost = (flags & SYNCHRONOUS) !== 0 && readWord(inner, OUTER_INNER) === 0;
      // Unless it was given a region.
      const isOnMainStack = isOutermost && readAddress(inner, BASE) === 0;
      if (isOnMainStack || (flags & ON_MAIN_STACK) !== 0) return false;
    }
    return true;
  }

  #run(record: number, name: string, args: readonly unknown[]): Promise<unknown> {
    let converted: readonly unknown[];
    try {
      converted = this.#argumentsFor(name, args);
    } catch (error) {
      // The guest is not entered.
      this.stacks.giveBack(record);
      return Promise.reject(error);
    }
    const ended = defer<unknown>();
    new Run(this, record, ended).begin(name, converted);
    return ended.promise;
  }

  #argumentsFor(name: string, args: readonly unknown[]): readonly unknown[] {
    const params = this.#params.get(name);
    return params === undefined ? args : convertedArguments(params, args);
  }

  #callInside(name: string, args: readonly unknown[]): unknown {
    const below = this.#imports.entered();
    try {
      const values = this.#driver.call(name, ...args);
      return values.length < 2 ? values[0] : values;
    } finally {
      this.#imports.left(below);
    }
  }

  /** Whether a suspended activation has frames on the guest's own stack, and may be resumed while somebody else runs above them. */
  get #isMainStackSuspended(): boolean {
    const { guest, isSingle } = this.stacks;
    return !isSingle && this.#globals !== undefined && readWord(guest, MAIN) === 0 && readWord(guest, INNER) === 0;
  }

  #synchronously<Result>(body: () => Result): Result {
    return callSynchronously(this.stacks.guest, this.#globals, body);
  }

  #synchronouslyOn<Result>(record: number, body: () => Result): Result {
    forgetActivation(record);
    writeWord(record, FLAGS, readWord(record, FLAGS) | SYNCHRONOUS);
    countStart(this.stacks.guest, SAVED);
    this.switches.enter(record);
    try {
      return body();
    } catch (error) {
      throw this.failure(error, record);
    } finally {
      this.switches.end(record);
    }
  }
}

/** Tells a body first, and then whoever waits for its stack. */
class EndedBody implements Waiter {
  readonly #body: GuestBody;
  readonly #ended: Deferred<void>;

  constructor(body: GuestBody, ended: Deferred<void>) {
    this.#body = body;
    this.#ended = ended;
  }

  resolve(value: unknown): void {
    this.#body.resolve(value);
    this.#ended.resolve();
  }

  reject(error: unknown): void {
    this.#body.reject(error);
    this.#ended.resolve();
  }
}
