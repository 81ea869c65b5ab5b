/**
 * A program in one of two forms: as it was published, or transformed and suspended at every call of the host. What runs it
 * cannot tell them apart: both take the same imports and have the same exports.
 */

import { SuspendableInstance } from "#src/transform/suspendable-instance";
import type { Outcome } from "#src/transform/suspended-stack";
import type { TransformedModule } from "#src/transform/transformed-module";
import { ABI } from "#src/transform/abi";
import { DrivenTable } from "./driven-table.ts";
import type { TableGuest } from "./driven-table.ts";
import type { CallLog, HostFunction } from "./observation.ts";

/** Instantiates the program; a start function has run when it returns. */
export type Load = (imports: WebAssembly.Imports) => WebAssembly.Instance;

/** The program as it is. */
export function loadPlain(module: WebAssembly.Module, log: CallLog): Load {
  const entries = WebAssembly.Module.imports(module);
  return (imports) => {
    const logging = mapImports(entries, imports, (host, name) => log.wrap(name, host));
    return new WebAssembly.Instance(module, logging);
  };
}

/** The transformed program. Every function it calls suspends it, is called then, and answers by resuming it. */
export function loadSuspending(transformed: TransformedModule, log: CallLog): Load {
  return (imports) => new SuspendingGuest(transformed, imports, log).asInstance();
}

/** A suspended stack that waits for a function of the host. */
export type Waiting = Outcome & { readonly done: false };

/** What a stack waits for. */
export interface HostCall {
  /** `module.name` of the import. */
  readonly name: string;
  readonly parameters: readonly unknown[];
  /** Calls it. */
  answer(): unknown;
}

export class SuspendingGuest implements TableGuest {
  /** Each call runs to its end. */
  readonly exports: WebAssembly.Exports;
  readonly exportOf: Map<HostFunction, HostFunction> = new Map();
  readonly #transformed: TransformedModule;
  readonly #instance: SuspendableInstance;
  readonly #log: CallLog;
  /** Whether the innermost frame belongs to a run that may suspend; not while a function of the host runs. */
  #isInside = false;

  constructor(transformed: TransformedModule, imports: WebAssembly.Imports, log: CallLog) {
    this.#log = log;
    this.#transformed = transformed;
    const entries = transformed.module.imports;
    const suspending = mapImports(entries, imports, (given, name) => {
      const host = log.wrap(name, given);
      return (...parameters) => {
        if (!this.#isInside) return host(...parameters);
        const call: HostCall = { name, parameters, answer: () => host(...parameters) };
        return this.#instance.suspend(call);
      };
    });
    for (const { module, name } of entries) {
      const given: unknown = imports[module]![name];
      if (given instanceof DrivenTable) given.connect(this);
    }
    this.#instance = new SuspendableInstance(transformed, suspending);
    this.exports = this.#driveExports();
    if (this.#instance.hasStart) this.#drive(this.start(ABI.start));
  }

  asInstance(): WebAssembly.Instance {
    // Some hosts ask whether it is an instance.
    const descriptor = { exports: { value: this.exports } };
    return Object.create(WebAssembly.Instance.prototype, descriptor) as WebAssembly.Instance;
  }

  /** Calls an export on a stack of its own. */
  start(name: string, ...parameters: readonly unknown[]): Outcome {
    return this.#enter(() => this.#instance.start(name, ...parameters));
  }

  /** Calls an entry of a table on a stack of its own. */
  startFunction(entry: HostFunction, ...parameters: readonly unknown[]): Outcome {
    return this.#enter(() => this.#instance.startFunction(entry, ...parameters));
  }

  /** What the stack waits for. */
  callOf({ value }: Waiting): HostCall {
    return value as HostCall;
  }

  /** Calls what the stack waits for, and resumes it. */
  answer(waiting: Waiting): Outcome {
    return this.resume(waiting, () => this.callOf(waiting).answer());
  }

  /** Resumes a stack with what `host` returns or throws. */
  resume({ stack }: Waiting, host: () => unknown): Outcome {
    this.#log.suspensions++;
    let result: unknown;
    try {
      result = host();
    } catch (error) {
      return this.#enter(() => stack.throw(error));
    }
    return this.#enter(() => stack.resume(result));
  }

  /** Those of the program only: glue may look at all there are. */
  #driveExports(): WebAssembly.Exports {
    const all: Record<string, WebAssembly.ExportValue> = {};
    for (const { name } of this.#transformed.module.exports) {
      const value = this.#instance.instance.exports[name]!;
      all[name] = value;
      if (typeof value === "function") {
        const driven = (...parameters: unknown[]): unknown => this.#drive(this.start(name, ...parameters));
        this.exportOf.set(driven, value as HostFunction);
        all[name] = driven;
      } else if (value instanceof WebAssembly.Table) {
        all[name] = new DrivenTable(value, this) as unknown as WebAssembly.Table;
      }
    }
    return all;
  }

  drive(entry: HostFunction): HostFunction {
    return (...parameters) => this.#drive(this.startFunction(entry, ...parameters));
  }

  #drive(started: Outcome): unknown {
    let outcome = started;
    while (!outcome.done) outcome = this.answer(outcome);
    return outcome.values.length > 1 ? outcome.values : outcome.values[0];
  }

  #enter(step: () => Outcome): Outcome {
    const wasInside = this.#isInside;
    this.#isInside = true;
    try {
      return step();
    } finally {
      this.#isInside = wasInside;
    }
  }
}

/**
 * The imports of a module with each function replaced; its name is `module.name`. Asks for nothing else: in dynamic linking,
 * the imports are a proxy that makes what is asked for.
 */
function mapImports(
  entries: readonly { readonly module: string; readonly name: string }[],
  imports: WebAssembly.Imports,
  replace: (host: HostFunction, name: string) => HostFunction,
): WebAssembly.Imports {
  const replaced: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module, name } of entries) {
    const space = (replaced[module] ??= {});
    const value: unknown = imports[module]![name];
    if (typeof value === "function") space[name] = replace(value as HostFunction, `${module}.${name}`);
    else space[name] = (value instanceof DrivenTable ? value.table : value) as WebAssembly.ImportValue;
  }
  return replaced;
}
