/** What `stackful transform --report` prints. */

import { importedFunctions } from "../binary/module.ts";
import { ModuleNames } from "../binary/names.ts";
import type { PackedGuest } from "../backends/packaged-guest.ts";
import { COMPILER_VERSION } from "../transform/compiler-version.ts";

/** In JSON as it is. Sizes are in bytes; functions are named by their index, and those with a name in `names`. */
export interface TransformSummary {
  readonly stackful: string;
  readonly input: { readonly file: string; readonly bytes: number };
  readonly output: {
    readonly file: string;
    readonly bytes: number;
    /** What is compiled when the module is loaded. */
    readonly first: number;
    /** What is compiled when something suspends for the first time. */
    readonly resume: number;
    /** The module of the runtime; 0 when it is part of the first. */
    readonly runtime: number;
  };
  readonly functions: { readonly defined: number; readonly suspendable: number; readonly withFrames: number };
  readonly callSites: number;
  readonly milliseconds: number;
  readonly imports: readonly {
    readonly name: string;
    readonly maySuspend: boolean;
    /** Those that may suspend because of this import alone. */
    readonly functions: readonly number[];
  }[];
  /** Functions that were left out although they call what may suspend: a suspension below them is an error. */
  readonly leftOut: readonly number[];
  readonly names: Readonly<Record<number, string>>;
  /** How calls that overlap get stacks of their own in the guest's memory. */
  readonly stack: PackedGuest["prepared"]["stack"];
  readonly memorySource: PackedGuest["prepared"]["memorySource"];
}

export interface TransformRun {
  readonly input: string;
  readonly inputBytes: number;
  readonly output: string;
  readonly milliseconds: number;
}

export function summarize(packed: PackedGuest, run: TransformRun): TransformSummary {
  const { bytes, prepared, transformation } = packed;
  const { main, runtime, report, calls } = transformation;
  const leftOut = [...calls.guarded].toSorted((a, b) => a - b);
  const names = new ModuleNames(prepared.original);
  const imports = importedFunctions(prepared.original).map(({ module, name }) => {
    const functions = report.causes.get(`${module}.${name}`);
    return { name: `${module}.${name}`, maySuspend: functions !== undefined, functions: functions ?? [] };
  });
  const mentioned = new Set([...imports.flatMap(({ functions }) => functions), ...leftOut]);
  const named = [...mentioned]
    .toSorted((a, b) => a - b)
    .map((index) => [index, names.name("function", index)] as const);
  return {
    stackful: COMPILER_VERSION,
    input: { file: run.input, bytes: run.inputBytes },
    output: {
      file: run.output,
      bytes: bytes.length,
      first: main.length,
      resume: transformation.resume().length,
      runtime: runtime?.length ?? 0,
    },
    functions: { defined: report.functions, suspendable: report.suspendable, withFrames: report.withFrames },
    callSites: report.sites,
    milliseconds: Math.round(run.milliseconds),
    imports,
    leftOut,
    names: Object.fromEntries(named.filter(([, name]) => name !== undefined)) as Readonly<Record<number, string>>,
    stack: prepared.stack,
    memorySource: prepared.memorySource,
  };
}

export function summaryText(summary: TransformSummary): string {
  const { input, output, functions } = summary;
  const first = output.first + output.runtime;
  const ratio = (first / input.bytes).toFixed(2);
  const rows: [string, string][] = [
    ["functions", `${count(functions.defined)}, of which ${count(functions.suspendable)} may suspend`],
    [
      "call sites",
      `${count(summary.callSites)} after which a function may be left, in ${count(functions.withFrames)} functions`,
    ],
    ["input", `${count(input.bytes)} bytes`],
    ["loaded first", `${count(first)} bytes, ${ratio} times the input`],
    ["loaded to resume", `${count(output.resume)} bytes, at the first suspension`],
    ["file", `${count(output.bytes)} bytes`],
    ["overlapping calls", overlapText(summary)],
    ["time", `${(summary.milliseconds / 1000).toFixed(2)} s`],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const parts = [rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n"), importsText(summary)];
  if (summary.leftOut.length > 0)
    parts.push(
      `Left out although they call what may suspend, so that a suspension below them is an error: ${list(summary, summary.leftOut)}`,
    );
  return `${parts.join("\n\n")}\n`;
}

/** What becomes of calls that overlap, after the words "calls that overlap". */
export function overlapText({ stack, memorySource }: Pick<TransformSummary, "stack" | "memorySource">): string {
  if (stack.kind === "none") return "as many as one likes: the module keeps no stack in its memory";
  if (stack.kind === "unknown") return `wait for each other: ${stack.reason}`;
  if (memorySource.kind === "none") return `wait for each other: ${memorySource.reason}`;
  const source = memorySource.kind === "allocator" ? "the allocator of the module" : "growing its memory";
  return `have stacks of their own, by ${source}; the stack pointer is global ${stack.global}`;
}

function importsText(summary: TransformSummary): string {
  const suspending = summary.imports
    .filter(({ maySuspend }) => maySuspend)
    .toSorted((a, b) => b.functions.length - a.functions.length);
  if (suspending.length === 0) return "No import may suspend.";
  const width = Math.max(...suspending.map(({ name }) => name.length));
  const numberWidth = Math.max(...suspending.map(({ functions }) => count(functions.length).length));
  const lines = suspending.map(({ name, functions }) => {
    const number = count(functions.length).padStart(numberWidth);
    // More than a few say nothing; JSON has all of them.
    const names = functions.length <= MAX_LISTED ? list(summary, functions) : "";
    return `  ${name.padEnd(width)}  ${number}  ${names}`.trimEnd();
  });
  const others = summary.imports.filter(({ maySuspend }) => !maySuspend);
  const parts = ["Functions that may suspend because of one import alone:", ...lines];
  if (others.length > 0) parts.push(`May not suspend: ${others.map(({ name }) => name).join(", ")}`);
  return parts.join("\n");
}

export const MAX_LISTED = 4;

function list({ names }: TransformSummary, functions: readonly number[]): string {
  const shown = functions.slice(0, MAX_LISTED).map((index) => names[index] ?? `function ${index}`);
  return shown.join(", ") + (functions.length > MAX_LISTED ? ", …" : "");
}

/** With separators between thousands, the same everywhere. */
export function count(number: number): string {
  return number.toLocaleString("en-US");
}
