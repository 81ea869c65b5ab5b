/**
 * What it costs that a guest can be interrupted: speed of QuickJS with a counter in its code, size, and time to add the counter.
 *
 * Real guests have to be installed, see harness/packages.ts.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { decodeModule } from "#src/binary/decode-module";
import { COUNTER, REFUEL_MODULE, REFUEL_NAME } from "#src/preemption/counter";
import { countInstructions } from "#src/preemption/count-instructions";
import type { Precision } from "#src/preemption/count-instructions";
import { measure, quantile } from "./harness/measure.ts";
import type { GroupResult, Row, RowResult } from "./harness/measure.ts";
import { installedGuests } from "./harness/packages.ts";
import { runParts } from "./harness/parts.ts";
import { WORKLOADS, findQuickJS } from "./harness/quickjs.ts";
import type { AddedHost, Evaluate } from "./harness/quickjs.ts";

const PRECISIONS: readonly Precision[] = ["time", "fuel"];
const MEAN_LIMIT = 1.3;
const RUNS_PER_SAMPLE = 5;

/** Fills the counter again and again, as a host does that is never out of fuel. */
function endlessFuel(): AddedHost {
  let counter: WebAssembly.Global | undefined;
  const refuel = (): void => {
    // Not there yet while the start function runs, which is short.
    if (counter !== undefined) counter.value = 1e6;
  };
  return {
    imports: { [REFUEL_MODULE]: { [REFUEL_NAME]: refuel } },
    attach: (instance) => (counter = instance.exports[COUNTER] as WebAssembly.Global),
  };
}

async function slowdown(): Promise<GroupResult[]> {
  const quickjs = await findQuickJS();
  if (!quickjs) {
    return [];
  }
  const engines = new Map<string, Evaluate>([["plain", await quickjs.start(quickjs.bytes)]]);
  for (const precision of PRECISIONS) {
    const counted = countInstructions(decodeModule(quickjs.bytes), precision);
    engines.set(`precision "${precision}"`, await quickjs.start(counted, endlessFuel()));
  }
  const plain = engines.get("plain")!;
  // All code is compiled by the optimizing compiler before anything is timed.
  for (const body of Object.values(WORKLOADS)) {
    for (const evaluate of engines.values()) for (let i = 0; i < 15; i++) assert.equal(evaluate(body), plain(body));
  }
  await new Promise((done) => setTimeout(done, 1500));
  const groups: GroupResult[] = [];
  for (const [title, body] of Object.entries(WORKLOADS)) {
    const expected = plain(body);
    const run = (evaluate: Evaluate) => (): unknown => {
      let result: unknown;
      for (let i = 0; i < RUNS_PER_SAMPLE; i++) result = evaluate(body);
      return result;
    };
    const rows: Row[] = [...engines].map(([name, evaluate]) => ({ name, run: run(evaluate), expected }));
    groups.push(await measure({ title: `QuickJS, ${title}`, operations: RUNS_PER_SAMPLE, samples: 21, rows }));
  }
  return [...groups, meanOf(groups)];
}

function meanOf(groups: readonly GroupResult[]): GroupResult {
  const mean = (values: readonly number[]): number =>
    Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
  const rows = groups[0]!.rows.map((row, at): RowResult => {
    const of = (pick: (row: RowResult) => number): number => mean(groups.map(({ rows: all }) => pick(all[at]!)));
    return {
      ...row,
      ns: of(({ ns }) => ns),
      quartiles: [of(({ quartiles }) => quartiles[0]), of(({ quartiles }) => quartiles[1])],
      ratio: of(({ ratio }) => ratio),
      bestRatio: of(({ bestRatio }) => bestRatio),
      limit: at === 0 ? undefined : MEAN_LIMIT,
    };
  });
  return { title: `QuickJS, geometric mean of ${groups.length} workloads`, samples: groups[0]!.samples, rows };
}

interface Guest {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

async function guests(): Promise<Guest[]> {
  const quickjs = await findQuickJS();
  return [
    ...(quickjs ? [{ name: "QuickJS", bytes: quickjs.bytes }] : []),
    ...installedGuests().map(({ name, file }) => ({ name, bytes: Uint8Array.from(readFileSync(file)) })),
  ].toSorted((a, b) => a.bytes.length - b.bytes.length);
}

const EDITS = 5;

/** Size of the counted guest, and milliseconds to make it. */
async function edits(): Promise<GroupResult[]> {
  return (await guests()).map(({ name, bytes }) => {
    const rows = PRECISIONS.flatMap((precision): RowResult[] => {
      const times: number[] = [];
      let size = 0;
      for (let edit = 0; edit < EDITS; edit++) {
        const start = performance.now();
        size = countInstructions(decodeModule(bytes), precision).length;
        times.push(performance.now() - start);
      }
      const ms = quantile(times, 0.5);
      return [figure(`"${precision}": bytes`, size, bytes.length), figure(`"${precision}": ms to make it`, ms, ms)];
    });
    const base = figure("plain: bytes", bytes.length, bytes.length);
    return { title: `${name} with its counter`, samples: 1, unit: "", rows: [base, ...rows] };
  });
}

function figure(name: string, value: number, base: number): RowResult {
  const ratio = value / base;
  const baseline = ratio === 1 ? name : "plain: bytes";
  return {
    name,
    ns: Math.round(value),
    quartiles: [value, value],
    ratio,
    bestRatio: ratio,
    baseline,
    limit: undefined,
  };
}

await runParts(import.meta.url, { slowdown, edits });
