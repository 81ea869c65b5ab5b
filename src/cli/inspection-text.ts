/** What `stackful inspect` prints, for people. */

import { MAX_LISTED, count, overlapText } from "./transform-report.ts";
import type { BackendFit, InspectedExport, InspectedImport, InspectedMemory, Inspection } from "./inspection.ts";
import { quoted } from "./wasm-text.ts";

export function inspectionText(inspection: Inspection): string {
  const { imports, exports } = inspection;
  const parts = [
    headText(inspection),
    listText("Imports", imports.map(importLine)),
    listText("Exports", exports.map(exportLine)),
    factsText(inspection),
    backendsText(inspection),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function headText({ file, bytes, kind, isTransformed }: Inspection): string {
  const lines = [`${file}: ${kind.description}, ${count(bytes)} bytes`];
  if (kind.use !== undefined) lines.push(`  ${kind.use}`);
  if (isTransformed) lines.push("  it is transformed: it may suspend on any engine");
  return lines.join("\n");
}

/** A line, and a comment on it. */
type Line = readonly [text: string, comment: string];

/** Comments stand in one column, if the lines leave room for it. */
const MAX_COLUMN = 110;

function listText(title: string, lines: readonly Line[]): string {
  if (lines.length === 0) return `${title}: none`;
  const widths = lines.map(([text]) => text.length).filter((width) => width <= MAX_COLUMN);
  const column = Math.max(0, ...widths);
  const texts = lines.map(([text, comment]) => `  ${text.padEnd(column)}${comment === "" ? "" : `  ;; ${comment}`}`);
  return [`${title}:`, ...texts.map((text) => text.trimEnd())].join("\n");
}

function importLine({ module, name, type, maySuspend }: InspectedImport): Line {
  const comment = maySuspend === false ? "never suspends: its values do not go through JavaScript" : "";
  return [`(import ${quoted(module)} ${quoted(name)} ${type})`, maySuspend === true ? "may suspend" : comment];
}

function exportLine({ name, type, waitsIn }: InspectedExport): Line {
  return [`(export ${quoted(name)} ${type})`, waitsIn === undefined ? "" : waitText(waitsIn)];
}

/** `may suspend: in env.sleep, env.read, … (12)` */
function waitText(waitsIn: readonly string[]): string {
  if (waitsIn.length === 0) return "never suspends";
  const more = waitsIn.length > MAX_LISTED ? `, … (${waitsIn.length})` : "";
  const names = waitsIn.slice(0, MAX_LISTED).map((name) => name.replace(/^wasi_(snapshot_preview1|unstable)\./, ""));
  return `may suspend in ${names.join(", ")}${more}`;
}

const EVIDENCE = {
  export: "it is exported as __stack_pointer",
  import: "it is imported as __stack_pointer",
  name: "the name section calls it __stack_pointer",
  pattern: "functions take their frames from it as LLVM lets them",
} as const;

function factsText(inspection: Inspection): string {
  const { start, memories, allocator, overlap, features } = inspection;
  const rows: [string, string][] = memories.map((memory, index) => [
    memories.length === 1 ? "memory" : `memory ${index}`,
    memoryText(memory),
  ]);
  if (start !== null) {
    rows.unshift(["start function", `${start.name ?? `function ${start.function}`}, ${waitText(start.waitsIn)}`]);
  }
  if (inspection.hasAtomicWaits) {
    rows.push(["atomic waits", "suspend the thread that waits, in 'stackful run' and instantiate()"]);
  }
  rows.push(
    ["stack pointer", pointerText(inspection.stackPointer)],
    ["allocator", allocator === null ? "none found" : [allocator.allocate, allocator.free ?? []].flat().join(", ")],
    ["overlapping calls", overlapText(overlap)],
    ["features", features.length === 0 ? "none beyond the first version of WebAssembly" : features.join(", ")],
  );
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n");
}

function pointerText(pointer: Inspection["stackPointer"]): string {
  if (pointer.kind === "none") return "none: the module keeps no stack in its memory";
  if (pointer.kind === "unknown") return `not found: ${pointer.reason}`;
  return `global ${pointer.global}: ${EVIDENCE[pointer.foundBy]}`;
}

function memoryText({ importedAs, exportedAs, minimumBytes, maximumBytes, is64, isShared }: InspectedMemory): string {
  const parts = [
    `${bytesText(minimumBytes)} at first, ${maximumBytes === null ? "no limit" : `at most ${bytesText(maximumBytes)}`}`,
    importedAs !== null && `imported as ${importedAs}`,
    exportedAs !== null && `exported as ${exportedAs}`,
    is64 && "64-bit addresses",
    isShared && "shared between threads",
  ];
  return parts.filter((part) => part !== false).join(", ");
}

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;

/** In the largest unit that leaves at most two decimals. */
export function bytesText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(2))} ${UNITS[unit]!}`;
}

function backendsText({ bytes, backends }: Inspection): string {
  const width = Math.max(...backends.map(({ name }) => name.length));
  const lines = backends.map((fit) => `  ${fit.name.padEnd(width)}  ${fitText(fit, bytes)}`);
  return [`Backends on Node ${process.versions.node}:`, ...lines].join("\n");
}

function fitText({ fits, reason, loadedBytes, milliseconds }: BackendFit, bytes: number): string {
  if (!fits) return `does not fit: ${reason}`;
  if (loadedBytes === undefined || milliseconds === undefined) return "fits";
  const ratio = (loadedBytes / bytes).toFixed(2);
  return `fits: loads ${count(loadedBytes)} bytes, ${ratio} times the module; compiled in ${(milliseconds / 1000).toFixed(2)} s`;
}
