/**
 * Backend `jspi` for a guest of which only a `WebAssembly.Module` is at hand.
 *
 * Such a module does not tell the types of its functions, so there is no link module: no activation can have a stack of its own,
 * calls run one after the other, and what a host function answers cannot be looked at before the engine suspends. An import
 * is made suspending if its host function is declared to be asynchronous, and plain if not.
 */

import { SuspendError } from "../coroutine/errors.ts";
import type { SyncRefusal } from "../coroutine/fiber.ts";
import { activationOf } from "../link/activation.ts";
import { Admission, NATIVE_STACKS, activationEnded } from "../link/admission.ts";
import { Calls } from "../link/calls.ts";
import type { Run } from "../link/calls.ts";
import { failureOf } from "../link/failure.ts";
import { GuestBody, endWith } from "../link/guest-body.ts";
import type { BodyRunner } from "../link/guest-body.ts";
import type { GuestModule } from "../link/guest-module.ts";
import { isDeclaredAsync, isExportedFunction } from "../link/host-function.ts";
import { isEngineRefusal, isPending } from "../link/import-side.ts";
import { bindCaller, lookUpImport, nestImports, refusePromises } from "../link/imports.ts";
import type { HostImports } from "../link/imports.ts";
import type { CallOptions, FiberBody, FiberOptions, GuestFiber, LinkedGuest } from "../link/linked-guest.ts";
import { StackPool } from "../link/stacks.ts";
import { CURRENT, GENERATION, REPORT_ENDS, countEnd, countStart, readWord, writeWord } from "../link/switchboard.ts";
import { callSynchronously } from "../link/synchronous-call.ts";
import { NEVER_SYNC } from "./jspi.ts";
import { promising, Suspending } from "./promise-integration.ts";

type HostFunction = (...args: unknown[]) => unknown;

export class UntypedJspiGuest implements LinkedGuest, BodyRunner {
  readonly backend = "jspi";
  readonly raw: WebAssembly.Instance;
  readonly stacks: StackPool;
  readonly #calls: Calls;
  readonly #entries = new Map<string, HostFunction>();
  readonly #running: Running;

  static async link(
    module: GuestModule,
    imports: HostImports,
    options: { readonly maxLive?: number | undefined; readonly exports: Readonly<Record<string, unknown>> },
  ): Promise<UntypedJspiGuest> {
    const running: Running = { record: 0 };
    const caller: { memory: WebAssembly.Memory | undefined; exports: typeof options.exports } = {
      memory: undefined,
      exports: options.exports,
    };
    const values = module.imports.map((wanted, position) => {
      const value = lookUpImport(wanted, position, imports);
      if (typeof value !== "function" || isExportedFunction(value)) return value;
      const host = bindCaller(value, caller);
      return isDeclaredAsync(value)
        ? suspendingImport(host, running)
        : refusePromises((args) => asCurrent(running.record, () => host(...args)), wanted, UNTYPED);
    });
    const raw = await WebAssembly.instantiate(module.compiled!, nestImports(module.imports, values));
    caller.memory = exportedMemory(raw);
    return new UntypedJspiGuest(module, raw, { maxLive: options.maxLive, running });
  }

  private constructor(
    module: GuestModule,
    raw: WebAssembly.Instance,
    { maxLive, running }: { maxLive: number | undefined; running: Running },
  ) {
    this.raw = raw;
    this.#running = running;
    const source = { allocate: () => undefined, free: () => {} };
    this.stacks = new StackPool(
      { kind: "single", source, memory: () => undefined, queueReason: module.queueReason },
      {},
    );
    this.#calls = new Calls(this.stacks, new Admission(this.stacks, NATIVE_STACKS, maxLive));
  }

  get memory(): WebAssembly.Memory | undefined {
    return exportedMemory(this.raw);
  }

  get waiting(): number {
    return this.#calls.waiting;
  }

  call(name: string, args: readonly unknown[], options?: CallOptions): Promise<unknown> {
    return this.#calls.start((record) => this.#run(name, record, args), options);
  }

  callSync(name: string, args: readonly unknown[]): unknown {
    const body = this.raw.exports[name] as HostFunction;
    try {
      return callSynchronously(this.stacks.guest, undefined, () => body(...args));
    } catch (error) {
      throw isEngineRefusal(error) ? new SuspendError("sync-call", SYNCHRONOUS_CALL, { cause: error }) : error;
    }
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
    const run: Run = (record) => this.#run(body.name, record, body.takeArguments(input));
    return this.#calls.startActivation(run, body, body.options);
  }

  /** What generated code does for other guests: enter the record, leave it at the first suspension, end it. */
  async #run(name: string, record: number, args: readonly unknown[]): Promise<unknown> {
    const below = this.#running.record;
    this.#running.record = record;
    countStart(this.stacks.guest);
    activationOf(record)?.hook(true);
    try {
      return await asCurrent(record, () => this.#entry(name)(...args));
    } catch (error) {
      throw failureOf(error, undefined);
    } finally {
      activationOf(record)?.hook(false);
      this.#running.record = below;
      writeWord(record, GENERATION, readWord(record, GENERATION) + 1);
      countEnd(this.stacks.guest);
      this.stacks.giveBack(record);
      if (readWord(0, REPORT_ENDS) !== 0) activationEnded();
    }
  }

  #entry(name: string): HostFunction {
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    const entry = promising!(this.raw.exports[name] as Function) as HostFunction;
    this.#entries.set(name, entry);
    return entry;
  }
}

/** The activation that runs or waits: calls of such a guest do not overlap. */
interface Running {
  record: number;
}

function asCurrent<Result>(record: number, body: () => Result): Result {
  const outer = readWord(0, CURRENT);
  writeWord(0, CURRENT, record);
  try {
    return body();
  } finally {
    writeWord(0, CURRENT, outer);
  }
}

function suspendingImport(host: HostFunction, running: Running): object {
  return new Suspending!((...args: unknown[]) => {
    const { record } = running;
    const answer = asCurrent(record, () => host(...args));
    return isPending(answer) ? (activationOf(record)?.await(answer) ?? answer) : answer;
  });
}

const SYNCHRONOUS_CALL =
  "Cannot suspend in a synchronous call: the guest has called a function that was declared to be asynchronous; " +
  "call it through instance.exports";

const UNTYPED =
  "only a WebAssembly.Module was given, not its bytes; give the bytes, or make the host function with wrapAsync";

function exportedMemory(raw: WebAssembly.Instance): WebAssembly.Memory | undefined {
  return Object.values(raw.exports).find((value) => value instanceof WebAssembly.Memory);
}
