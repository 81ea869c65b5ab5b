/** Prints what was measured. */

import type { GroupResult, RowResult } from "./measure.ts";

const NAME_WIDTH = 56;

export function printGroup({ title, rows, samples, unit }: GroupResult): void {
  console.log(`\n${title}${samples > 1 ? ` (medians of ${samples})` : ""}`);
  for (const row of rows) {
    const { name, ns, quartiles, ratio, bestRatio, baseline } = row;
    const range = quartiles[0] === quartiles[1] ? "" : `  [${quartiles.map(text).join(" to ")}]`;
    const times = `${(unit === undefined ? text(ns) : `${ns} ${unit}`).padStart(9)}${range}`;
    const ratios = name === baseline ? "" : `${ratio.toFixed(2)}x, best ${bestRatio.toFixed(2)}x${verdict(row)}`;
    console.log(`  ${name.padEnd(NAME_WIDTH)}${times.padEnd(36)}${ratios}`);
  }
}

/** The rows that have a limit and miss it. */
export function printLimits(groups: readonly GroupResult[]): void {
  const limited = groups.flatMap(({ title, rows }) =>
    rows.filter(({ limit }) => limit !== undefined).map((row) => ({ title, row })),
  );
  if (limited.length === 0) return;
  const missed = limited.filter(({ row }) => isMissed(row));
  console.log(`\nLimits: ${limited.length - missed.length} of ${limited.length} hold`);
  for (const { title, row } of missed) {
    console.log(`  MISSED ${title}: ${row.name}: ${row.ratio.toFixed(2)}x ${row.baseline}, at most ${row.limit}x`);
  }
}

const isMissed = ({ ratio, limit = Infinity }: RowResult): boolean => ratio > limit;

function verdict(row: RowResult): string {
  if (row.limit === undefined) return "";
  return isMissed(row) ? `  MISSED ${row.limit}x` : `  within ${row.limit}x`;
}

function text(ns: number): string {
  if (ns < 100) return `${ns.toFixed(1)} ns`;
  if (ns < 10_000) return `${ns.toFixed(0)} ns`;
  if (ns < 1e7) return `${(ns / 1e3).toFixed(1)} µs`;
  return `${(ns / 1e6).toFixed(1)} ms`;
}
