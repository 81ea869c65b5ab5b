/** A guest that is compiled, with everything that linking needs to know about it, to be shared by many instances. */

import type { ExternKind } from "../binary/extern-types.ts";
import { functionType, signature } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import type { Precision } from "../preemption/count-instructions.ts";
import type { HostFunctionType } from "./host-function.ts";
import type { GuestImport } from "./imports.ts";
import { makeEdit } from "./module-edit.ts";
import type { EditModule } from "./module-edit.ts";
import { count, counting, prepareGuest } from "./prepare.ts";
import type { PreparedGuest, PrepareOptions } from "./prepare.ts";

/** Functions that linkers and headers export of programs: the host does not call them of its own accord. */
const OF_LINKERS = /^(_.*|wasi_thread_start|stackful_(start|tls|set_tls)|malloc|free|calloc|realloc)$/;

/** One export of a guest. */
export interface GuestExport {
  readonly name: string;
  readonly kind: ExternKind;
  /** Of a function; `undefined` when only a compiled module was given. */
  readonly type: HostFunctionType | undefined;
}

/** How a guest is prepared. */
export interface CompileOptions {
  /**
   * What happens to a call while another one is suspended:
   * - `"allow"` (default): it runs, on a stack of its own; if none can be had for this guest, it waits
   * - `"queue"`: it waits until the other has ended, for guests that are not re-entrant by design
   */
  readonly overlap?: "allow" | "queue" | undefined;
  /** Whether the guest's code checks that it stays within its stack; `true` when left out. */
  readonly stackChecks?: boolean | undefined;
  /**
   * Counts in the guest's code, so that it cannot keep the event loop from going on; `false` when left out. With `fuel` in it the
   * cost of all that runs is counted, and `instance.fuel` is what it may cost.
   */
  readonly interruptible?: boolean | Interruption | undefined;
  /**
   * What `memory.atomic.wait32` and `wait64` do in a guest with a shared memory:
   * - `"suspend"` (default): the call is suspended until it is woken, like one that waits for a promise
   * - `"block"`: the thread of the engine is blocked, where that is allowed
   */
  readonly atomicWaits?: "suspend" | "block" | undefined;
  /**
   * Bytes that each of its memories may have at most; what it declares itself when left out. Growing it further fails, as it does on a
   * machine that has no more. A memory that it imports has to have such a maximum of its own.
   */
  readonly maxMemoryBytes?: number | undefined;
}

/** How a guest is interrupted. */
export interface Interruption {
  /** Milliseconds after which a guest that does not wait gives way to the event loop; 5 when left out. */
  readonly sliceMs?: number | undefined;
  /** What all its calls together may cost, an instruction at least 1; `Infinity` to set it later. */
  readonly fuel?: number | bigint | undefined;
}

/** What is counted in a guest with these options; `undefined`: nothing. */
export function precisionOf({ interruptible = false }: CompileOptions): Precision | undefined {
  if (interruptible === false) return undefined;
  return interruptible !== true && interruptible.fuel !== undefined ? "fuel" : "time";
}

/**
 * A compiled guest. Made by `compile()`; `instantiate()` takes it as often as one likes, in the thread that has made it.
 */
export class GuestModule {
  readonly imports: readonly GuestImport[];
  readonly exports: readonly GuestExport[];
  readonly options: CompileOptions;
  /** @internal `undefined` when only a compiled module was given. */
  readonly prepared: PreparedGuest | undefined;
  /** @internal Given instead of bytes. */
  readonly compiled: WebAssembly.Module | undefined;
  /** @internal Backends keep here what they have generated for it, by their name. */
  readonly generated: Map<string, unknown> = new Map();
  #exportsByName: ReadonlyMap<string, GuestExport> | undefined;
  #hasEntries: boolean | undefined;

  /** @internal Made by {@link prepareModule} and {@link wrapModule}. */
  constructor(guest: PreparedGuest | WebAssembly.Module, options: CompileOptions) {
    this.options = options;
    if (guest instanceof WebAssembly.Module) {
      this.prepared = undefined;
      this.compiled = guest;
      this.imports = WebAssembly.Module.imports(guest).map(untyped);
      this.exports = WebAssembly.Module.exports(guest).map(untyped);
    } else {
      this.prepared = guest;
      this.compiled = undefined;
      this.imports = importsOf(guest.surface);
      this.exports = exportsOf(guest.surface);
    }
  }

  /** @internal */
  exportNamed(name: string): GuestExport | undefined {
    this.#exportsByName ??= new Map(this.exports.map((entry) => [entry.name, entry]));
    return this.#exportsByName.get(name);
  }

  /** @internal Whether the host can call it while its main function runs: whatever waits in it may be woken so. */
  get hasEntries(): boolean {
    return (this.#hasEntries ??= this.exports.some(({ name, kind }) => kind === "function" && !OF_LINKERS.test(name)));
  }

  /** Why calls of this guest cannot overlap; `undefined` if they can. */
  get queueReason(): string | undefined {
    const { prepared } = this;
    if (prepared === undefined) return "only a compiled module was given: its bytes are needed to find its stack";
    if (prepared.stack.kind === "unknown") return prepared.stack.reason;
    if (prepared.stack.kind === "found" && prepared.memorySource.kind === "none") return prepared.memorySource.reason;
    return undefined;
  }
}

/** @throws {WebAssembly.CompileError} when the bytes are no module */
export async function prepareModule(
  bytes: Uint8Array<ArrayBuffer>,
  options: CompileOptions,
  edit: EditModule = makeEdit,
): Promise<GuestModule> {
  const preparation: PrepareOptions = {
    overlaps: options.overlap !== "queue",
    checksStack: options.stackChecks !== false,
    suspendsWaits: options.atomicWaits !== "block",
    maxMemoryBytes: options.maxMemoryBytes,
  };
  const precision = precisionOf(options);
  // What is added to a guest makes indices valid that were not, so that it could reach what is none of its business. The engine
  // judges in threads of its own meanwhile: what it has compiled is not used.
  const judgement = WebAssembly.compile(bytes);
  try {
    const prepared = prepareGuest(bytes, preparation);
    if (precision === undefined) return new GuestModule(prepared, options);
    const make = (): Uint8Array<ArrayBuffer> => count(prepared.bytes, precision);
    const counted = await edit(prepared.bytes, { name: `count ${precision}`, make });
    return new GuestModule(counting(prepared, counted), options);
  } finally {
    await judgement;
  }
}

/**
 * What to say about bytes that could not be used because of `error`. The engine judges what is a module; its offsets and functions should
 * be those of the module that the user has.
 */
export async function betterError(original: Uint8Array, error: unknown): Promise<unknown> {
  try {
    // Copied out of whatever holds them: an engine does not take shared bytes.
    await WebAssembly.compile(Uint8Array.from(original));
  } catch (engineError) {
    return engineError;
  }
  return error;
}

/** A module that was compiled elsewhere, of which nothing but its names is known. */
export function wrapModule(module: WebAssembly.Module, options: CompileOptions): GuestModule {
  return new GuestModule(module, options);
}

function untyped<Entry extends { kind: string }>(
  entry: Entry,
): Entry & { kind: ExternKind; type: undefined; memory: undefined } {
  return { ...entry, kind: entry.kind as ExternKind, type: undefined, memory: undefined };
}

function importsOf(module: BinaryModule): GuestImport[] {
  return module.imports.map(({ module: from, name, kind, index }) => {
    const type = kind === "function" ? signature(functionType(module, index)) : undefined;
    const memory = kind === "memory" ? module.memories[index] : undefined;
    return { module: from, name, kind, type, memory };
  });
}

function exportsOf(module: BinaryModule): GuestExport[] {
  return module.exports.map(({ name, kind, index }) => {
    return { name, kind, type: kind === "function" ? signature(functionType(module, index)) : undefined };
  });
}
