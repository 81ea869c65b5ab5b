/** What `stackful inspect` finds out about a module. */

import { hasWaits } from "../atomics/suspend-waits.ts";
import { ATOMICS_MODULE } from "../atomics/waiting-functions.ts";
import { backends } from "../backends/choose.ts";
import type { BackendName } from "../backends/choose.ts";
import { openPackedGuest } from "../backends/packaged-guest.ts";
import { decodeModule } from "../binary/decode-module.ts";
import { featuresOf } from "../binary/features.ts";
import type { Feature } from "../binary/features.ts";
import type { ExternKind } from "../binary/extern-types.ts";
import type { BinaryModule, Export, Import } from "../binary/module.ts";
import { ModuleNames } from "../binary/names.ts";
import { prepareGuest } from "../link/prepare.ts";
import type { PreparedGuest } from "../link/prepare.ts";
import { evidenceFor } from "../link/stack-pointer.ts";
import type { PointerEvidence } from "../link/stack-pointer.ts";
import { importKey, suspendableImports } from "../link/suspendable-imports.ts";
import { findCallers, suspendableCalls } from "../transform/call-graph.ts";
import { COMPILER_VERSION } from "../transform/compiler-version.ts";
import { TransformError } from "../transform/refusal.ts";
import { transformModule } from "../transform/transform-module.ts";
import { kindOf } from "./module-kind.ts";
import type { ModuleKind } from "./module-kind.ts";
import { typeText } from "./wasm-text.ts";

/** In JSON as it is. Sizes are in bytes. */
export interface Inspection {
  readonly stackful: string;
  readonly file: string;
  readonly bytes: number;
  readonly kind: ModuleKind;
  /** Whether `stackful transform` has made it. */
  readonly isTransformed: boolean;
  readonly imports: readonly InspectedImport[];
  readonly exports: readonly InspectedExport[];
  /** The function that runs when the module is instantiated, and the imports (`module.name`) that it may wait in. */
  readonly start: {
    readonly function: number;
    readonly name: string | null;
    readonly waitsIn: readonly string[];
  } | null;
  readonly memories: readonly InspectedMemory[];
  /** Whether it waits in a shared memory, or wakes those who do: `memory.atomic.wait32`, `wait64`, `notify`. */
  readonly hasAtomicWaits: boolean;
  readonly stackPointer: InspectedStackPointer;
  /** The guest's `malloc`, from which further stacks are taken. */
  readonly allocator: { readonly allocate: string; readonly free: string | null } | null;
  /** How calls that overlap get stacks of their own in the guest's memory, if they do. */
  readonly overlap: Pick<PreparedGuest, "stack" | "memorySource">;
  readonly features: readonly Feature[];
  readonly backends: readonly BackendFit[];
}

export interface InspectedImport extends Pick<Import, "module" | "name" | "kind"> {
  /** As the text format writes it. */
  readonly type: string;
  /** Whether a host function may make the guest wait there; `undefined` where that makes no sense. */
  readonly maySuspend?: boolean;
}

export interface InspectedExport extends Pick<Export, "name" | "kind"> {
  readonly type: string;
  /** Imports that a call of it may reach, of those that may suspend. Of functions only. */
  readonly waitsIn?: readonly string[];
}

export interface InspectedMemory {
  /** What imports it, or the first name under which it is exported. */
  readonly importedAs: string | null;
  readonly exportedAs: string | null;
  readonly minimumBytes: number;
  readonly maximumBytes: number | null;
  readonly is64: boolean;
  readonly isShared: boolean;
}

export type InspectedStackPointer =
  | { readonly kind: "found"; readonly global: number; readonly foundBy: PointerEvidence }
  | { readonly kind: "none" }
  | { readonly kind: "unknown"; readonly reason: string };

export interface BackendFit {
  readonly name: BackendName;
  readonly fits: boolean;
  /** Why not. */
  readonly reason: string | null;
  /** What backend `transform` loads first. */
  readonly loadedBytes?: number;
  readonly milliseconds?: number;
}

export interface InspectOptions {
  readonly file: string;
  /** Is called now and then while the module is transformed. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** @throws {WebAssembly.CompileError} when the bytes are no module */
export function inspectModule(bytes: Uint8Array<ArrayBuffer>, options: InspectOptions): Inspection {
  const packed = openPackedGuest(bytes);
  const prepared = packed?.prepared ?? prepareGuest(bytes, { overlaps: true, checksStack: true });
  const { original } = prepared;
  const names = new ModuleNames(original);
  const reach = new Reach(original);
  return {
    stackful: COMPILER_VERSION,
    file: options.file,
    bytes: bytes.length,
    kind: kindOf(original),
    isTransformed: packed !== undefined,
    imports: original.imports.map((entry, position) => inspectImport(original, entry, reach.mayWait(position))),
    exports: original.exports.map((entry) => inspectExport(original, entry, reach)),
    start:
      original.start === null
        ? null
        : {
            function: original.start,
            name: names.name("function", original.start) ?? null,
            waitsIn: reach.importsBelow(original.start),
          },
    memories: original.memories.map((_, index) => inspectMemory(original, index)),
    hasAtomicWaits: hasWaits(original) || original.imports.some((entry) => entry.module === ATOMICS_MODULE),
    stackPointer: inspectStackPointer(prepared),
    allocator: inspectAllocator(prepared, names),
    overlap: { stack: prepared.stack, memorySource: prepared.memorySource },
    features: featuresOf(packed === undefined ? decodeModule(bytes) : original),
    backends: packed === undefined ? fitBackends(bytes, prepared, options) : fitPacked(),
  };
}

function inspectImport(module: BinaryModule, entry: Import, maySuspend: boolean): InspectedImport {
  const { module: from, name, kind, index } = entry;
  const type = typeText(module, kind, index);
  return kind === "function" ? { module: from, name, kind, type, maySuspend } : { module: from, name, kind, type };
}

function inspectExport(module: BinaryModule, { name, kind, index }: Export, reach: Reach): InspectedExport {
  const type = typeText(module, kind, index);
  return kind === "function" ? { name, kind, type, waitsIn: reach.importsBelow(index) } : { name, kind, type };
}

/** Which functions come to which imports. */
class Reach {
  readonly #mayWait: ReadonlySet<number>;
  /** `module.name` → function index → whether a call of it may come there. */
  readonly #functions: ReadonlyMap<string, Uint8Array>;

  constructor(module: BinaryModule) {
    const positions = suspendableImports(module);
    const callers = findCallers(module);
    this.#mayWait = new Set(positions);
    this.#functions = new Map(
      positions.map((position) => {
        const entry = module.imports[position]!;
        const { functions } = suspendableCalls(module, callers, [entry.index], () => false);
        return [`${entry.module}.${entry.name}`, functions];
      }),
    );
  }

  /** `position`: among all imports. */
  mayWait(position: number): boolean {
    return this.#mayWait.has(position);
  }

  importsBelow(functionIndex: number): string[] {
    return [...this.#functions].filter(([, functions]) => functions[functionIndex] === 1).map(([name]) => name);
  }
}

const PAGE_LOG2 = 16;

function inspectMemory({ memories, imports, exports }: BinaryModule, index: number): InspectedMemory {
  const { minimum, maximum, is64 = false, shared = false, pageSizeLog2 = PAGE_LOG2 } = memories[index]!;
  const isThis = (entry: { kind: ExternKind; index: number }): boolean =>
    entry.kind === "memory" && entry.index === index;
  const imported = imports.find(isThis);
  return {
    importedAs: imported === undefined ? null : `${imported.module}.${imported.name}`,
    exportedAs: exports.find(isThis)?.name ?? null,
    minimumBytes: minimum * 2 ** pageSizeLog2,
    maximumBytes: maximum === undefined ? null : maximum * 2 ** pageSizeLog2,
    is64,
    isShared: shared,
  };
}

function inspectStackPointer({ original, stack }: PreparedGuest): InspectedStackPointer {
  if (stack.kind !== "found") return stack;
  return { kind: "found", global: stack.global, foundBy: evidenceFor(original, stack.global) };
}

function inspectAllocator({ memorySource }: PreparedGuest, names: ModuleNames): Inspection["allocator"] {
  if (memorySource.kind !== "allocator") return null;
  const { allocate, free } = memorySource.allocator;
  return {
    allocate: names.describeFunction(allocate),
    free: free === undefined ? null : names.describeFunction(free),
  };
}

function fitPacked(): BackendFit[] {
  return backends().map(({ name, reason }) => ({ name, fits: reason === undefined, reason: reason ?? null }));
}

/** By trying: nobody knows better what an engine and a compiler take. */
function fitBackends(bytes: Uint8Array, prepared: PreparedGuest, options: InspectOptions): BackendFit[] {
  const refused = engineRefusal(bytes);
  return backends().map(({ name, reason }) => {
    const why = reason ?? refused;
    if (why !== undefined) return { name, fits: false, reason: why };
    return name === "transform" ? fitTransform(prepared, options) : { name, fits: true, reason: null };
  });
}

function fitTransform({ bytes, surface }: PreparedGuest, { onProgress }: InspectOptions): BackendFit {
  const started = performance.now();
  const names = new Set(suspendableImports(surface).map((position) => importKey(surface.imports[position]!)));
  try {
    const made = transformModule(bytes, {
      imports: (module, name) => names.has(importKey({ module, name })),
      ...(onProgress && { onProgress }),
    });
    const refused = engineRefusal(made.main) ?? engineRefusal(made.resume());
    const milliseconds = Math.round(performance.now() - started);
    if (refused !== undefined) return { name: "transform", fits: false, reason: refused };
    const loadedBytes = made.main.length + (made.runtime?.length ?? 0);
    return { name: "transform", fits: true, reason: null, loadedBytes, milliseconds };
  } catch (error) {
    if (error instanceof TransformError) return { name: "transform", fits: false, reason: error.message };
    throw error;
  }
}

/** What the engine says against a module; `undefined`: nothing. */
function engineRefusal(bytes: Uint8Array): string | undefined {
  if (WebAssembly.validate(bytes as BufferSource)) return undefined;
  try {
    void new WebAssembly.Module(bytes as BufferSource);
    return undefined;
  } catch (error) {
    return `the engine does not take the module: ${error instanceof Error ? error.message : String(error)}`;
  }
}
