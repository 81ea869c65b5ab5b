/**
 * A guest for backend `transform` as one file: prepared, transformed, and packed with what was found out about it, in the order in
 * which that happens at load time. What `stackful transform` writes and `instantiate()` recognises.
 */

import type { BinaryModule } from "../binary/module.ts";
import { GuestModule } from "../link/guest-module.ts";
import type { CompileOptions } from "../link/guest-module.ts";
import { RESERVED, START, prepareGuest } from "../link/prepare.ts";
import type { PreparedGuest } from "../link/prepare.ts";
import { importKey, suspendableImports } from "../link/suspendable-imports.ts";
import { AreaMemory } from "../transform/area-memory.ts";
import { COMPILER_VERSION } from "../transform/compiler-version.ts";
import { sha256 } from "../transform/content-hash.ts";
import { MEMORIES, importedMemories } from "../transform/imported-memories.ts";
import { isPackaged, pack, unpack } from "../transform/packaged-module.ts";
import { transformModule } from "../transform/transform-module.ts";
import type { TransformOptions, Transformation } from "../transform/transform-module.ts";
import type { TransformedModule } from "../transform/transformed-module.ts";

/** A packed guest is not counted, and its memory not limited: its options are what else can be said about it. */
type PackedOptions = Omit<CompileOptions, "interruptible" | "maxMemoryBytes">;

export interface PackGuestOptions extends PackedOptions {
  readonly transform?: TransformOptions;
}

export interface PackedGuest {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly prepared: PreparedGuest;
  readonly transformation: Transformation;
}

/**
 * @throws {WebAssembly.CompileError} when the bytes are no module
 * @throws {TypeError} when they are a packed guest already, or use names that are reserved
 * @throws {TransformError} when something in it cannot be made suspendable
 */
export async function packGuest(bytes: Uint8Array<ArrayBuffer>, options: PackGuestOptions): Promise<PackedGuest> {
  if (isPackaged(bytes)) throw new TypeError("Cannot transform guest: it is transformed already");
  const { overlap = "allow", stackChecks = true, atomicWaits = "suspend", transform = {} } = options;
  const prepared = prepareGuest(bytes, {
    overlaps: overlap !== "queue",
    checksStack: stackChecks,
    suspendsWaits: atomicWaits === "suspend",
  });
  const { original, stack, memorySource, checksStack } = prepared;
  const suspendable = new Set(suspendableImports(original).map((position) => importKey(original.imports[position]!)));
  const transformation = transformModule(prepared.bytes, {
    ...transform,
    imports: (module, name) =>
      suspendable.has(importKey({ module, name })) && (transform.imports?.(module, name) ?? true),
  });
  const facts: GuestFacts = {
    compiler: COMPILER_VERSION,
    source: { bytes: bytes.length, sha256: (await sha256(bytes)) ?? null },
    options: { overlap, stackChecks, atomicWaits },
    guest: { stack, memorySource, checksStack },
  };
  return { bytes: pack(transformation, { facts }), prepared, transformation };
}

/** Facts of the file: what is in its section in JSON. */
interface GuestFacts {
  readonly compiler: string;
  /** The module that was transformed. `null` where hashes cannot be computed. */
  readonly source: { readonly bytes: number; readonly sha256: string | null };
  readonly options: PackedOptions;
  readonly guest: Pick<PreparedGuest, "stack" | "memorySource" | "checksStack">;
}

interface UnpackedGuest {
  /** As `prepareGuest()` gives it; its bytes are those of the file, which engines compile as they are. */
  readonly prepared: PreparedGuest;
  /** What it was prepared with. */
  readonly options: CompileOptions;
  readonly transformed: TransformedModule;
}

/**
 * The guest in the file, ready to be linked by any backend; `undefined` if the bytes are not such a file.
 *
 * @throws {WebAssembly.CompileError} when the file is of another version, or was changed
 */
export function openPackedGuest(bytes: Uint8Array<ArrayBuffer>): GuestModule | undefined {
  if (!isPackaged(bytes)) return undefined;
  const { prepared, options, transformed } = unpackGuest(bytes);
  const module = new GuestModule(prepared, options);
  module.generated.set(PACKED, transformed);
  return module;
}

/** What backend `transform` need not make any more. */
export function packedGuest(module: GuestModule): TransformedModule | undefined {
  return module.generated.get(PACKED) as TransformedModule | undefined;
}

/** What the file of a packed guest imports in addition to what the guest does, for a backend that only runs it; nothing of another guest. */
export function packedMemories(module: GuestModule): WebAssembly.Imports {
  const packed = packedGuest(module);
  // No area is taken into use: any memory will do.
  return packed ? { [MEMORIES]: importedMemories(packed, AreaMemory.withRoom().memory) } : {};
}

const PACKED = "transform, ahead of time";

function unpackGuest(bytes: Uint8Array<ArrayBuffer>): UnpackedGuest {
  const { transformed, facts } = unpack(bytes);
  const original = givenModule(transformed.module);
  if (!areGuestFacts(facts, original)) {
    throw new WebAssembly.CompileError("Cannot load transformed module: what it says about its guest makes no sense");
  }
  return { prepared: { original, surface: original, bytes, ...facts.guest }, options: facts.options, transformed };
}

/** The guest as it was given, as far as its imports, exports and start function go; all indices are the same. */
function givenModule(module: BinaryModule): BinaryModule {
  const start = module.exports.find(({ name }) => name === START)?.index ?? null;
  return { ...module, start, exports: module.exports.filter(({ name }) => !name.startsWith(RESERVED)) };
}

function areGuestFacts(facts: unknown, module: BinaryModule): facts is GuestFacts {
  const { options, guest } = (facts ?? {}) as { readonly [Key in "options" | "guest"]?: Partial<GuestFacts[Key]> };
  return (
    ["allow", "queue"].includes(String(options?.overlap)) &&
    typeof options?.stackChecks === "boolean" &&
    ["suspend", "block", undefined].includes(options.atomicWaits) &&
    typeof guest?.checksStack === "boolean" &&
    ["allocator", "grow", "none"].includes(String(guest.memorySource?.kind)) &&
    isStack(guest.stack, module)
  );
}

function isStack(stack: PreparedGuest["stack"] | undefined, { globals }: BinaryModule): boolean {
  if (stack?.kind === "found") return globals[stack.global] !== undefined;
  return stack?.kind === "none" || stack?.kind === "unknown";
}
