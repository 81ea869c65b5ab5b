/** Times rows against each other, in turns: what disturbs the machine disturbs all of them. */

import assert from "node:assert/strict";

/** Something to time. */
export interface Row {
  readonly name: string;
  /** Does all operations of one sample. */
  readonly run: () => unknown;
  /** Comes before each of them, and is not timed. */
  readonly prepare?: () => void;
  /** What `run` returns, or what its promise fulfils with. */
  readonly expected: unknown;
  /** Name of the row that this one is compared with; the first one when left out. */
  readonly baseline?: string;
  /** The largest ratio that the project allows itself. */
  readonly limit?: number;
}

export interface Group {
  readonly title: string;
  /** Operations in one sample. */
  readonly operations: number;
  readonly rows: readonly Row[];
  /** 31 when left out. */
  readonly samples?: number;
}

export interface RowResult {
  readonly name: string;
  /** Medians and quartiles, in nanoseconds per operation. */
  readonly ns: number;
  readonly quartiles: readonly [number, number];
  /** Median of the ratios to the baseline's time in the same round. */
  readonly ratio: number;
  /** Ratio of the best times: what is left of it on a machine that is busy with other things. */
  readonly bestRatio: number;
  readonly baseline: string;
  readonly limit: number | undefined;
}

export interface GroupResult {
  readonly title: string;
  readonly samples: number;
  readonly rows: readonly RowResult[];
  /** Of `ns` and the quartiles, where they are no times. */
  readonly unit?: string;
}

const WARM_UPS = 12;

export async function measure({ title, operations, rows, samples = 31 }: Group): Promise<GroupResult> {
  const times = rows.map((): number[] => []);
  for (let round = -WARM_UPS; round < samples; round++) {
    for (let turn = 0; turn < rows.length; turn++) {
      // Another one begins every time, so that none always runs after the same neighbour.
      const index = (turn + Math.abs(round)) % rows.length;
      const ns = await timeOf(rows[index]!, title);
      if (round >= 0) times[index]!.push(ns / operations);
    }
  }
  return { title, samples, rows: rows.map((row, index) => summarize(row, { times, index, rows })) };
}

async function timeOf({ run, prepare, expected, name }: Row, title: string): Promise<number> {
  prepare?.();
  const start = performance.now();
  let result = run();
  if (result instanceof Promise) result = await result;
  const ns = (performance.now() - start) * 1e6;
  assert.deepEqual(result, expected, `${title}: ${name}`);
  return ns;
}

function summarize(
  { name, baseline, limit }: Row,
  { times, index, rows }: { times: readonly (readonly number[])[]; index: number; rows: readonly Row[] },
): RowResult {
  const base = baseline === undefined ? 0 : rows.findIndex((row) => row.name === baseline);
  assert.ok(base >= 0, `There is no row ${baseline}`);
  const mine = times[index]!;
  return {
    name,
    ns: quantile(mine, 0.5),
    quartiles: [quantile(mine, 0.25), quantile(mine, 0.75)],
    ratio: quantile(
      mine.map((ns, round) => ns / times[base]![round]!),
      0.5,
    ),
    bestRatio: Math.min(...mine) / Math.min(...times[base]!),
    baseline: rows[base]!.name,
    limit,
  };
}

export function quantile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * fraction;
  const [low, high] = [sorted[Math.floor(position)]!, sorted[Math.ceil(position)]!];
  return low + (high - low) * (position % 1);
}

/** A figure that `measure` did not take, as a ratio to another one. */
export function compared(
  name: string,
  values: readonly number[],
  base: { name: string; value: number; limit?: number | undefined },
): RowResult[] {
  const row = (ownName: string, own: readonly number[]): RowResult => ({
    name: ownName,
    ns: quantile(own, 0.5),
    quartiles: [quantile(own, 0.25), quantile(own, 0.75)],
    ratio: quantile(own, 0.5) / base.value,
    bestRatio: Math.min(...own) / base.value,
    baseline: base.name,
    limit: undefined,
  });
  return [row(base.name, [base.value]), { ...row(name, values), limit: base.limit }];
}

/** Of groups with the same rows; `limits` are those of the mean, row by row. */
export function geometricMean(
  groups: readonly GroupResult[],
  title: string,
  limits: readonly (number | undefined)[],
): GroupResult {
  const mean = (pick: (row: RowResult) => number, at: number): number =>
    Math.exp(groups.reduce((sum, { rows }) => sum + Math.log(pick(rows[at]!)), 0) / groups.length);
  const rows = groups[0]!.rows.map((row, at): RowResult => ({
    ...row,
    ns: mean(({ ns }) => ns, at),
    quartiles: [mean(({ quartiles }) => quartiles[0], at), mean(({ quartiles }) => quartiles[1], at)],
    ratio: mean(({ ratio }) => ratio, at),
    bestRatio: mean(({ bestRatio }) => bestRatio, at),
    limit: limits[at],
  }));
  return { title, samples: groups[0]!.samples, rows };
}
