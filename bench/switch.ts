/**
 * What a call of a host function costs: one that answers at once, against a plain import; one that lets the guest wait,
 * against `WebAssembly.Suspending`.
 */

import { CoroutineLocal, suspend } from "stackful";
import { link, linkRaw, suspending } from "./harness/guests.ts";
import type { GuestFunction } from "./harness/guests.ts";
import { measure } from "./harness/measure.ts";
import type { GroupResult, Row } from "./harness/measure.ts";
import { runParts } from "./harness/parts.ts";

const READY_LIMIT = 1.3;
const WAITING_LIMIT = 1.2;

// -- Host functions that answer at once

const READY_CALLS = 200_000;

interface Kind {
  readonly title: string;
  readonly guest: "loop" | "loop-types";
  /** The import that is called. */
  readonly name: string;
  /** The export that calls it; it is given `args`. */
  readonly loop: string;
  readonly args: readonly unknown[];
  /** Source of the host function, so that many different ones can be made of it. */
  readonly source: string;
  readonly expected: unknown;
}

const sumTo = (count: number): number => (count * (count + 1)) / 2;
const token = { some: "object" };

const KINDS: Record<string, Kind> = {
  i32: {
    title: "(i32) -> (i32)",
    guest: "loop",
    name: "step",
    loop: "loop",
    args: [READY_CALLS],
    source: "(value) => value & 255",
    expected: Array.from({ length: READY_CALLS + 1 }, (_, value) => value & 255).reduce((a, b) => a + b),
  },
  wide: {
    title: "(i32) -> (i32), beyond 31 bits",
    guest: "loop",
    name: "step",
    loop: "loop",
    args: [READY_CALLS],
    source: "(value) => (value & 255) | 0x40000000",
    // A sum of as many 2^30 as there are calls, which are a multiple of 4: they cancel out in 32 bits.
    expected: Array.from({ length: READY_CALLS + 1 }, (_, value) => value & 255).reduce((a, b) => a + b),
  },
  none: {
    title: "() -> (i32)",
    guest: "loop",
    name: "next",
    loop: "loop_next",
    args: [READY_CALLS],
    source: "() => 3",
    expected: 3 * READY_CALLS,
  },
  void: {
    title: "() -> ()",
    guest: "loop",
    name: "tick",
    loop: "loop_tick",
    args: [READY_CALLS],
    source: "() => {}",
    expected: undefined,
  },
  f64: {
    title: "(f64) -> (f64)",
    guest: "loop-types",
    name: "f64",
    loop: "loop_f64",
    args: [READY_CALLS],
    source: "(value) => value + 0.5",
    expected: sumTo(READY_CALLS) + READY_CALLS / 2,
  },
  i64: {
    title: "(i64) -> (i64)",
    guest: "loop-types",
    name: "i64",
    loop: "loop_i64",
    args: [BigInt(READY_CALLS)],
    source: "(value) => value",
    expected: BigInt(sumTo(READY_CALLS)),
  },
  externref: {
    title: "(externref) -> (externref)",
    guest: "loop-types",
    name: "externref",
    loop: "loop_externref",
    args: [READY_CALLS, token],
    source: "(value) => value",
    expected: token,
  },
};

/** A function of its own, with feedback of its own: closures of one literal share theirs. */
// oxlint-disable-next-line typescript/no-implied-eval, no-new-func
const makeFunction = (source: string): Function => new Function(`return (${source}\n)`)() as Function;

/** Host functions for all imports of both guests; those that are not measured never get called. */
function hostWith(name: string, body: Function): Record<string, Function> {
  const other = (): number => 0;
  const names = ["step", "next", "tick", "i64", "f64", "externref"];
  return Object.fromEntries(names.map((each) => [each, each === name ? body : other]));
}

async function readyRows({ guest, name, loop, args, source, expected }: Kind): Promise<Row[]> {
  const plain = await linkRaw(guest, hostWith(name, makeFunction(source)));
  const raw = await linkRaw(guest, suspending(hostWith(name, makeFunction(source))));
  const { exports } = await link(guest, hostWith(name, makeFunction(source)));
  return [
    { name: "plain import", run: () => plain[loop]!(...args), expected },
    { name: "stackful", run: () => exports[loop]!(...args), expected, limit: READY_LIMIT },
    { name: "raw JSPI: suspends although the answer is ready", run: () => raw[loop]!(...args), expected },
  ];
}

/** Only this kind of import in the process. */
async function readyAlone(kind: Kind): Promise<GroupResult[]> {
  const title = `ready, ${kind.title}, alone`;
  return [await measure({ title, operations: READY_CALLS, rows: await readyRows(kind) })];
}

/** All kinds in one process, and 20 instances with host functions of their own have been called before. */
async function readyTogether(): Promise<GroupResult[]> {
  for (const { guest, name, loop, args, source } of Object.values(KINDS)) {
    for (let i = 0; i < 20; i++) {
      const different = `${source} // ${i}`;
      const body = (): Function => makeFunction(`(...args) => (${i}, (${source})(...args))`);
      const bodies = i % 2 === 0 ? makeFunction(different) : body();
      const few = [typeof args[0] === "bigint" ? 2000n : 2000, ...args.slice(1)];
      await (
        await linkRaw(guest, hostWith(name, bodies))
      )[loop]!(...few);
      await (
        await link(guest, hostWith(name, bodies))
      ).exports[loop]!(...few);
    }
  }
  const groups: GroupResult[] = [];
  const rows = new Map<Kind, Row[]>();
  for (const kind of Object.values(KINDS)) rows.set(kind, await readyRows(kind));
  for (const [kind, kindRows] of rows) {
    const title = `ready, ${kind.title}, among many host functions`;
    groups.push(await measure({ title, operations: READY_CALLS, rows: kindRows }));
  }
  return groups;
}

// -- Host functions that let the guest wait

const immediate = (value: number): Promise<number> => new Promise((resolve) => setImmediate(resolve, value));
const HOSTS: Record<
  string,
  { readonly title: string; readonly host: (value: number) => unknown; readonly waits: number }
> = {
  resolved: { title: "returns a resolved promise", host: (value) => Promise.resolve(value), waits: 10_000 },
  async: { title: "is an async function", host: async (value) => value, waits: 10_000 },
  immediate: { title: "waits for setImmediate", host: immediate, waits: 2000 },
};

async function waiting(which: string): Promise<GroupResult[]> {
  const { title, host, waits } = HOSTS[which]!;
  const raw = await linkRaw("loop", suspending(hostWith("step", host)));
  const { exports } = await link("loop", hostWith("step", host));
  const groups: GroupResult[] = [];
  for (const depth of [1, 100, 1000]) {
    const run = (loopAt: GuestFunction) => (): unknown => loopAt(depth - 1, waits);
    const expected = sumTo(waits);
    const rows = [
      { name: "raw JSPI", run: run(raw["loop_at"]!), expected },
      { name: "stackful", run: run(exports["loop_at"]!), expected, limit: WAITING_LIMIT },
    ];
    groups.push(await measure({ title: `waiting, host ${title}, ${depth} deep`, operations: waits, rows }));
  }
  return groups;
}

/** All three host functions have been called in the process. */
async function waitingTogether(): Promise<GroupResult[]> {
  const groups: GroupResult[] = [];
  for (const which of [...Object.keys(HOSTS), ...Object.keys(HOSTS)]) groups.push((await waiting(which))[0]!);
  return groups
    .slice(Object.keys(HOSTS).length)
    .map((group) => ({ ...group, title: `${group.title}, after all the others` }));
}

/** An answer that is a promise one time and a value the next. */
async function alternating(): Promise<GroupResult[]> {
  const waits = 10_000;
  const host = (value: number): unknown => (value % 2 === 0 ? value : Promise.resolve(value));
  const raw = await linkRaw("loop", suspending(hostWith("step", host)));
  const { exports } = await link("loop", hostWith("step", host));
  const expected = sumTo(waits);
  const rows = [
    { name: "raw JSPI: waits every time", run: () => raw["loop"]!(waits), expected },
    { name: "stackful: waits every second time", run: () => exports["loop"]!(waits), expected },
  ];
  return [await measure({ title: "waiting and ready in turns", operations: waits, rows })];
}

/** What a call may be given, and what it then costs to wait. */
async function options(): Promise<GroupResult[]> {
  const waits = 10_000;
  const host = async (value: number): Promise<number> => value;
  const raw = await linkRaw("loop", suspending(hostWith("step", host)));
  const instance = await link("loop", hostWith("step", host));
  const loop = instance.function<[number], number>("loop");
  const expected = sumTo(waits);
  const { signal } = new AbortController();
  const hooks = { onEnter: () => {}, onLeave: () => {} };
  const yielding = await link(
    "loop",
    hostWith("step", (value: number) => suspend(value)),
  );
  const rows: Row[] = [
    { name: "raw JSPI", run: () => raw["loop"]!(waits), expected },
    { name: "stackful", run: () => loop.call([waits]), expected },
    { name: "stackful, signal", run: () => loop.call([waits], { signal }), expected },
    { name: "stackful, timeoutMs", run: () => loop.call([waits], { timeoutMs: 60_000 }), expected },
    { name: "stackful, hooks", run: () => loop.call([waits], hooks), expected },
    {
      name: "stackful, coroutine that awaits",
      run: async () => (await instance.coroutine<number, never, number>("loop").resumeAsync(waits)).value,
      expected,
    },
    {
      name: "stackful, coroutine: suspend() and resumeAsync()",
      run: async () => {
        const coroutine = yielding.coroutine<number, number, number>("loop");
        let step = await coroutine.resumeAsync(waits);
        while (step.done !== true) step = await coroutine.resumeAsync(step.value);
        return step.value;
      },
      expected,
    },
  ];
  return [await measure({ title: "waiting, by what the call was given", operations: waits, rows })];
}

/** A coroutine-local variable exists in the process, so that every call is watched. */
async function watched(): Promise<GroupResult[]> {
  const waits = 10_000;
  const local = new CoroutineLocal(() => 0);
  const host = async (value: number): Promise<number> => value;
  const raw = await linkRaw("loop", suspending(hostWith("step", host)));
  const { exports } = await link("loop", hostWith("step", host));
  const getting = await link(
    "loop",
    hostWith("step", async (value: number) => value + local.get()),
  );
  const expected = sumTo(waits);
  const rows: Row[] = [
    { name: "raw JSPI", run: () => raw["loop"]!(waits), expected },
    { name: "stackful", run: () => exports["loop"]!(waits), expected },
    { name: "stackful, the host function reads the variable", run: () => getting.exports["loop"]!(waits), expected },
  ];
  return [await measure({ title: "waiting, where there is a CoroutineLocal", operations: waits, rows })];
}

/** A C guest: its stack pointer is switched. */
async function shadowStack(): Promise<GroupResult[]> {
  const depth = 99;
  const waits = 2 * (depth + 1);
  const repeats = 20;
  let hold: (() => void) | undefined;
  const host = {
    wait: (id: number): unknown => (id < 0 ? new Promise((resolve) => (hold = () => resolve(0))) : Promise.resolve(0)),
    fill: () => {},
  };
  const raw = await linkRaw("frames", suspending(host));
  const own = await link("frames", host);
  const region = await link("frames", host);
  // Holds the guest's own stack, so that the next calls are on a region.
  const held = region.exports["frame"]!(-1) as Promise<number>;
  const run = (nested: GuestFunction) => async (): Promise<unknown> => {
    let sum = 0;
    for (let i = 0; i < repeats; i++) sum += (await nested(0, depth)) as number;
    return sum;
  };
  const expected = repeats * (depth + 1);
  const rows: Row[] = [
    { name: "raw JSPI", run: run(raw["nested"]!), expected },
    { name: "stackful, the guest's own stack", run: run(own.exports["nested"]!), expected, limit: WAITING_LIMIT },
    { name: "stackful, a region", run: run(region.exports["nested"]!), expected, limit: WAITING_LIMIT },
  ];
  const title = "waiting in C code with frames in memory, 1 to 100 deep";
  const group = await measure({ title, operations: waits * repeats, rows });
  hold?.();
  await held;
  return [group];
}

await runParts(import.meta.url, {
  ...Object.fromEntries(Object.entries(KINDS).map(([name, kind]) => [`ready-${name}`, () => readyAlone(kind)])),
  "ready-together": readyTogether,
  ...Object.fromEntries(Object.keys(HOSTS).map((name) => [`waiting-${name}`, () => waiting(name)])),
  "waiting-together": waitingTogether,
  alternating,
  options,
  watched,
  "shadow-stack": shadowStack,
});
