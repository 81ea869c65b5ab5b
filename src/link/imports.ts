/** Looks up what a guest imports in what the host offers, and says clearly what is missing or wrong. */

import type { ExternKind, MemoryType } from "../binary/extern-types.ts";
import { SuspendError } from "../coroutine/errors.ts";
import { makeCaller } from "./caller.ts";
import type { CallerGuest } from "./caller.ts";
import { hasType } from "./exported-function-type.ts";
import { callerFunction, declaredType, isExportedFunction } from "./host-function.ts";
import type { HostFunctionType } from "./host-function.ts";
import { ignore, isPending } from "./import-side.ts";

/** What the host offers: module name → import name → function, memory, table, global or tag. */
export type HostImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** One import of a guest, as far as its type is known. */
export interface GuestImport {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternKind;
  /** Of a function; `undefined` when only a compiled module was given. */
  readonly type: HostFunctionType | undefined;
  /** Of a memory; likewise. */
  readonly memory: MemoryType | undefined;
}

const CLASSES: { readonly [Kind in Exclude<ExternKind, "function" | "tag" | "global">]: Function } = {
  memory: WebAssembly.Memory,
  table: WebAssembly.Table,
};

/**
 * The value for `wanted`.
 *
 * @throws {TypeError} when the host has no such module
 * @throws {WebAssembly.LinkError} when the value is missing or of the wrong kind
 */
export function lookUpImport(wanted: GuestImport, position: number, imports: HostImports): unknown {
  const place = `import ${position} "${wanted.module}" "${wanted.name}"`;
  const module = imports[wanted.module];
  const made = madeMemory(wanted, imports);
  if (made !== undefined) return made;
  if ((typeof module !== "object" || module === null) && typeof module !== "function") {
    throw new TypeError(
      `Cannot link ${place}: expected an object for module "${wanted.module}", received ${describe(module)}`,
    );
  }
  const value = module[wanted.name];
  if (!fits(wanted.kind, value)) {
    throw new WebAssembly.LinkError(`Cannot link ${place}: expected a ${wanted.kind}, received ${describe(value)}`);
  }
  if (typeof value === "function") checkType(wanted, value, place);
  return value;
}

/**
 * Beside the modules of an import object: makes the memory that a guest imports and nobody else offers.
 *
 * A symbol, so that it comes along when imports are spread into another object, and no guest can mean it.
 */
export const MEMORY_MAKER: unique symbol = Symbol.for("stackful.memory-maker");

/** @returns `undefined` if that is not its business */
export type MakeMemory = (type: MemoryType) => WebAssembly.Memory | undefined;

function madeMemory({ module, name, memory }: GuestImport, imports: HostImports): WebAssembly.Memory | undefined {
  if (memory === undefined || imports[module]?.[name] !== undefined) return undefined;
  return (imports as { readonly [MEMORY_MAKER]?: MakeMemory })[MEMORY_MAKER]?.(memory);
}

/** A host function that must not answer with a promise, because of `why`. `call` runs it with its arguments. */
export function refusePromises(
  call: (args: readonly unknown[]) => unknown,
  { module, name }: GuestImport,
  why: string,
  reason: SuspendError["reason"] = "not-supported",
): (...args: unknown[]) => unknown {
  return (...args) => {
    const answer = call(args);
    if (!isPending(answer)) return answer;
    ignore(answer);
    throw new SuspendError(reason, `Cannot suspend in import ${module}.${name}: ${why}`);
  };
}

/** The import object that the engine wants; `values` in the order of `imports`. */
export function nestImports(imports: readonly GuestImport[], values: readonly unknown[]): WebAssembly.Imports {
  const modules: Record<string, Record<string, unknown>> = Object.create(null) as Record<
    string,
    Record<string, unknown>
  >;
  for (const [position, { module, name }] of imports.entries()) {
    const names = (modules[module] ??= Object.create(null) as Record<string, unknown>);
    names[name] = values[position];
  }
  // Every value was checked by lookUpImport; what the engine thinks of the rest, it says itself.
  return modules as WebAssembly.Imports;
}

/** The function to call for an import: `body`, or one that gives it its caller first. An array of arguments is made where it has to be. */
export function bindCaller(body: Function, guest: CallerGuest, paramCount?: number): (...args: unknown[]) => unknown {
  const withCaller = callerFunction(body);
  if (withCaller === undefined) return body as (...args: unknown[]) => unknown;
  if (paramCount === 0) return () => withCaller(makeCaller(guest));
  if (paramCount === 1) return (a) => withCaller(makeCaller(guest), a);
  if (paramCount === 2) return (a, b) => withCaller(makeCaller(guest), a, b);
  if (paramCount === 3) return (a, b, c) => withCaller(makeCaller(guest), a, b, c);
  return (...args) => withCaller(makeCaller(guest), ...args);
}

function fits(kind: ExternKind, value: unknown): boolean {
  if (kind === "function") return typeof value === "function";
  // Numbers and bigints are globals too, and tags have a class in some engines only: the engine knows.
  if (kind === "global")
    return value instanceof WebAssembly.Global || typeof value === "number" || typeof value === "bigint";
  if (kind === "tag") return typeof value === "object" && value !== null;
  return value instanceof CLASSES[kind];
}

function checkType(wanted: GuestImport, value: Function, place: string): void {
  if (wanted.type === undefined) return;
  if (isExportedFunction(value) && !hasType(value, wanted.type)) {
    throw new WebAssembly.LinkError(
      `Cannot link ${place}: the guest calls it as ${typeText(wanted.type)}, the exported function has another type`,
    );
  }
  const declared = declaredType(value);
  if (declared === undefined) return;
  const [found, expected] = [typeText(declared), typeText(wanted.type)];
  if (found !== expected) {
    throw new WebAssembly.LinkError(
      `Cannot link ${place}: the guest calls it as ${expected}, the host function is ${found}`,
    );
  }
}

/** `(i32, i64) -> (f64)` */
export function typeText({ params, results }: HostFunctionType): string {
  return `(${params.join(", ")}) -> (${results.join(", ")})`;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  const name = value.constructor?.name ?? "null-prototype object";
  return name === "Suspending" ? "a WebAssembly.Suspending: give the function that it was made of" : `a ${name}`;
}
