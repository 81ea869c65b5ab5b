/** Which proposals a module needs of an engine beyond the WebAssembly of 2017, by the names that LLVM and Binaryen give them. */

import { InstructionReader } from "./instructions.ts";
import type { Range } from "./instructions.ts";
import type { BinaryModule } from "./module.ts";
import type { TypeDefinition } from "./type-section.ts";
import { OPCODES, opcode, opcodeNumber } from "./opcodes.ts";
import { EXNREF, EXTERNREF, FUNCREF, V128, isReference } from "./value-types.ts";
import type { ValueType } from "./value-types.ts";

/** In the order in which they are listed. */
const FEATURES = [
  "mutable-globals",
  "sign-ext",
  "nontrapping-fptoint",
  "bulk-memory",
  "multivalue",
  "reference-types",
  "simd128",
  "relaxed-simd",
  "tail-call",
  "extended-const",
  "exception-handling",
  "legacy-exception-handling",
  "multimemory",
  "memory64",
  "custom-page-sizes",
  "atomics",
  "typed-function-references",
  "gc",
  "wide-arithmetic",
  "stack-switching",
] as const;

export type Feature = (typeof FEATURES)[number];

/** Names of instructions without the namespace of a numeric type → what they belong to. The first row that matches counts. */
const RULES: readonly (readonly [Feature, RegExp])[] = [
  ["sign-ext", /^i(32|64)\.extend\d+_s$/],
  ["nontrapping-fptoint", /\.trunc_sat_/],
  ["wide-arithmetic", /^i64\.(add128|sub128|mul_wide_)/],
  ["bulk-memory", /^(memory\.(init|copy|fill)|data\.drop|elem\.drop|table\.(init|copy))$/],
  ["reference-types", /^(table\.(get|set|grow|size|fill)|ref\.(null|is_null|func)|select_typed)$/],
  ["tail-call", /^return_call(_indirect)?$/],
  ["typed-function-references", /^((return_)?call_ref|ref\.as_non_null|br_on_(non_)?null)$/],
  ["exception-handling", /^(try_table|throw_ref)$/],
  ["legacy-exception-handling", /^(try|catch|catch_all|rethrow|delegate)$/],
  ["stack-switching", /^(cont\.|suspend$|resume|switch$)/],
  ["gc", /^(ref\.eq|br_on_cast)/],
];

/** Opcode number → its feature. */
const FEATURE_OF: readonly (Feature | undefined)[] = OPCODES.map((entry) => entry && featureOf(entry));

function featureOf({ number, name }: { readonly number: number; readonly name: string }): Feature | undefined {
  const named = RULES.find(([, pattern]) => pattern.test(name))?.[0];
  if (named !== undefined || number < opcodeNumber(0xfb, 0)) return named;
  if (number < opcodeNumber(0xfc, 0)) return "gc";
  if (number < opcodeNumber(0xfd, 0)) return undefined;
  if (number >= opcodeNumber(0xfe, 0)) return "atomics";
  return number < opcodeNumber(0xfd, 0x100) ? "simd128" : "relaxed-simd";
}

const ARITHMETIC: ReadonlySet<number> = new Set(
  (["i32.add", "i32.sub", "i32.mul", "i64.add", "i64.sub", "i64.mul"] as const).map((name) => opcode(name)),
);

/** Reads all code of the module once. */
export function featuresOf(module: BinaryModule): Feature[] {
  const found = new Set<Feature>();
  noteDeclarations(module, found);
  noteConstants(module, found);
  noteCode(module, found);
  // Both forms have tags.
  if (module.tags.length > 0 && !found.has("legacy-exception-handling")) found.add("exception-handling");
  return FEATURES.filter((feature) => found.has(feature));
}

function noteCode(module: BinaryModule, found: Set<Feature>): void {
  const reader = new InstructionReader(module.bytes);
  for (let body = 0; body < module.bodies.length; body += 2) {
    reader.enterBody(module.bodies[body]!, module.bodies[body + 1]!);
    for (const { type } of reader.locals()) noteValue(type, found);
    while (reader.next()) {
      const feature = FEATURE_OF[reader.opcode];
      if (feature !== undefined) found.add(feature);
    }
  }
}

function noteDeclarations(module: BinaryModule, found: Set<Feature>): void {
  const { types, tables, globals, imports, exports } = module;
  for (const type of types) noteType(type, found);
  for (const { type } of globals) noteValue(type, found);
  for (const { element } of tables) noteValue(element, found);
  const shared = [...imports, ...exports].filter(({ kind }) => kind === "global");
  if (shared.some(({ index }) => globals[index]!.mutable)) found.add("mutable-globals");
  if (tables.length > 1) found.add("reference-types");
  noteMemories(module, found);
}

function noteType(type: TypeDefinition, found: Set<Feature>): void {
  if (type.kind === "struct" || type.kind === "array" || !type.final || type.supertypes.length > 0) found.add("gc");
  if (type.kind === "cont") found.add("stack-switching");
  if (type.kind !== "func") return;
  if (type.results.length > 1) found.add("multivalue");
  for (const value of [...type.params, ...type.results]) noteValue(value, found);
}

function noteMemories({ memories, tables }: BinaryModule, found: Set<Feature>): void {
  if (memories.length > 1) found.add("multimemory");
  if ([...memories, ...tables].some(({ is64 }) => is64 === true)) found.add("memory64");
  if (memories.some(({ shared }) => shared === true)) found.add("atomics");
  if (memories.some(({ pageSizeLog2 }) => pageSizeLog2 !== undefined)) found.add("custom-page-sizes");
}

function noteValue(type: ValueType, found: Set<Feature>): void {
  if (type === V128) found.add("simd128");
  else if (type === EXTERNREF) found.add("reference-types");
  else if (type === EXNREF) found.add("exception-handling");
  else if (type !== FUNCREF && isReference(type))
    found.add((type & 0xff) === type ? "gc" : "typed-function-references");
}

function noteConstants(module: BinaryModule, found: Set<Feature>): void {
  const reader = new InstructionReader(module.bytes);
  for (const { start, end } of constantExpressions(module)) {
    reader.enterExpression(start, end);
    while (reader.next()) {
      const feature = ARITHMETIC.has(reader.opcode) ? "extended-const" : FEATURE_OF[reader.opcode];
      if (feature !== undefined) found.add(feature);
    }
  }
}

function constantExpressions({ globals, tables, elements, data }: BinaryModule): Range[] {
  const initial = [...globals, ...tables].map((entry) => entry.initial);
  const offsets = [...elements, ...data].map(({ offset }) => offset);
  const values = elements.flatMap(({ expressions }) => expressions ?? []);
  return [...initial, ...offsets, ...values].filter((range) => range !== null);
}
