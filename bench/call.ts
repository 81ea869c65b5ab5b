/** What a call into a guest costs: create an activation, run it, finish it. Stacks and records come from pools. */

import assert from "node:assert/strict";
import { suspend } from "stackful";
import { link, linkRaw, suspending } from "./harness/guests.ts";
import type { GuestFunction } from "./harness/guests.ts";
import { measure } from "./harness/measure.ts";
import type { GroupResult, Row } from "./harness/measure.ts";
import { runParts } from "./harness/parts.ts";

const LIMIT = 1.3;
const CALLS = 5000;

const ready = (value: number): number => value;
const waits = async (value: number): Promise<number> => value;
const later = (value: number): Promise<number> => new Promise((resolve) => setImmediate(resolve, value));
const loopHost = (step: (value: number) => unknown): Record<string, Function> => ({
  step,
  next: () => 0,
  tick: () => {},
});

/** One call after the other. */
const inSequence = (callee: GuestFunction) => async (): Promise<number> => {
  let sum = 0;
  for (let i = 0; i < CALLS; i++) sum += (await callee(1)) as number;
  return sum;
};

async function sequence(): Promise<GroupResult[]> {
  const groups: GroupResult[] = [];
  const cases = [
    { title: "no import", name: "none", host: ready, raw: loopHost(ready) },
    { title: "one import that is ready", name: "one", host: ready, raw: loopHost(ready) },
    { title: "one import that waits", name: "one", host: waits, raw: suspending(loopHost(waits)) },
  ];
  for (const { title, name, host, raw } of cases) {
    const plain = await linkRaw("loop", raw);
    const instance = await link("loop", loopHost(host));
    const callee = instance.function<[number], number>(name);
    const rows: Row[] = [
      { name: "raw promising", run: inSequence(plain[name]!), expected: CALLS },
      { name: "stackful, exports", run: inSequence(instance.exports[name]!), expected: CALLS, limit: LIMIT },
      { name: "stackful, function().call()", run: inSequence((i) => callee.call([i])), expected: CALLS, limit: LIMIT },
    ];
    groups.push(await measure({ title: `call in sequence, ${title}`, operations: CALLS, rows }));
  }
  return groups;
}

async function shadowStack(): Promise<GroupResult[]> {
  const host = { wait: waits, fill: () => {} };
  const plain = await linkRaw("frames", suspending(host));
  const { exports } = await link("frames", host);
  const expected = 1001 * CALLS;
  const rows: Row[] = [
    { name: "raw promising", run: inSequence(plain["frame"]!), expected },
    { name: "stackful", run: inSequence(exports["frame"]!), expected, limit: LIMIT },
  ];
  return [await measure({ title: "call in sequence, C code with a frame that waits", operations: CALLS, rows })];
}

async function options(): Promise<GroupResult[]> {
  const plain = await linkRaw("loop", loopHost(ready));
  const instance = await link("loop", loopHost(ready));
  const none = instance.function<[number], number>("none");
  const getNone = instance.getAsync<(value: number) => number>("none");
  const stack = instance.stacks.open();
  const { signal } = new AbortController();
  const hooks = { onEnter: () => {}, onLeave: () => {} };
  const rows: Row[] = [
    { name: "raw promising", run: inSequence(plain["none"]!), expected: CALLS },
    { name: "stackful, exports", run: inSequence(instance.exports["none"]!), expected: CALLS },
    { name: "stackful, getAsync()", run: inSequence(getNone), expected: CALLS },
    { name: "stackful, stack", run: inSequence((i) => none.call([i], { stack })), expected: CALLS },
    { name: "stackful, signal", run: inSequence((i) => none.call([i], { signal })), expected: CALLS },
    { name: "stackful, timeoutMs", run: inSequence((i) => none.call([i], { timeoutMs: 60_000 })), expected: CALLS },
    { name: "stackful, hooks", run: inSequence((i) => none.call([i], hooks)), expected: CALLS },
    {
      name: "stackful, wormhole()",
      run: inSequence(async (i) => instance.wormhole<number>("none", [i])),
      expected: CALLS,
    },
    {
      name: "stackful, coroutine() and resumeAsync()",
      run: inSequence(async (i) => (await instance.coroutine<number, never, number>("none").resumeAsync(i)).value),
      expected: CALLS,
    },
    {
      name: "stackful, sync",
      run: () => {
        let sum = 0;
        for (let i = 0; i < CALLS; i++) sum += instance.sync["none"]!(1) as number;
        return sum;
      },
      expected: CALLS,
    },
  ];
  return [await measure({ title: "call in sequence, by what it was given", operations: CALLS, rows })];
}

/** Calls that are in flight at once, each suspended until the next turn of the event loop. */
async function overlapping(count: number): Promise<GroupResult[]> {
  const repeats = Math.ceil(2000 / count);
  const atOnce = (callee: GuestFunction, id: number) => async (): Promise<number> => {
    let sum = 0;
    for (let i = 0; i < repeats; i++) {
      const calls = Array.from({ length: count }, () => callee(id) as Promise<number>);
      for (const result of await Promise.all(calls)) sum += result;
    }
    return sum;
  };
  const operations = repeats * count;

  const plain = await linkRaw("loop", suspending(loopHost(later)));
  const instance = await link("loop", loopHost(later));
  const memoryless = await measure({
    title: `${count} calls at once, guest without memory`,
    operations,
    rows: [
      { name: "raw promising", run: atOnce(plain["one"]!, 1), expected: operations },
      { name: "stackful", run: atOnce(instance.exports["one"]!, 1), expected: operations, limit: LIMIT },
    ],
  });

  // Last in, first out: in any other order raw JSPI mixes the frames up.
  const gates: (() => void)[] = [];
  const gate = (): Promise<number> => new Promise((resolve) => gates.push(() => resolve(1)));
  const nested = (callee: GuestFunction) => async (): Promise<number> => {
    let sum = 0;
    for (let i = 0; i < repeats; i++) {
      const calls = Array.from({ length: count }, () => callee(1) as Promise<number>);
      for (const open of gates.splice(0).toReversed()) open();
      for (const result of await Promise.all(calls)) sum += result;
    }
    return sum;
  };
  const host = { wait: gate, fill: () => {} };
  const plainC = await linkRaw("frames", suspending(host));
  const instanceC = await link("frames", host);
  const expected = operations * 1001;
  const withFrames = await measure({
    title: `${count} calls at once, C code with a frame, ended last in, first out`,
    operations,
    rows: [
      { name: "raw promising, frames on one stack", run: nested(plainC["frame"]!), expected },
      { name: "stackful, each on its own region", run: nested(instanceC.exports["frame"]!), expected },
    ],
  });
  return [memoryless, withFrames];
}

/** Coroutines that are created, resumed once to their first suspension and once to their end. */
async function coroutines(count: number): Promise<GroupResult[]> {
  const gates: (() => void)[] = [];
  const gate = (value: number): Promise<number> => new Promise((resolve) => gates.push(() => resolve(value)));
  const plain = await linkRaw("loop", suspending(loopHost(gate)));
  const instance = await link("loop", loopHost(suspend));
  const repeats = Math.ceil(2000 / count);
  const operations = repeats * count;
  const rows: Row[] = [
    {
      name: "raw promising, resumed by hand",
      run: async () => {
        let sum = 0;
        for (let i = 0; i < repeats; i++) {
          const calls = Array.from({ length: count }, () => plain["one"]!(1) as Promise<number>);
          for (const open of gates.splice(0)) open();
          for (const result of await Promise.all(calls)) sum += result;
        }
        return sum;
      },
      expected: operations,
    },
    {
      name: "stackful, coroutine()",
      run: async () => {
        let sum = 0;
        for (let i = 0; i < repeats; i++) {
          const all = Array.from({ length: count }, () => instance.coroutine<number, number, number>("one"));
          const first = await Promise.all(all.map((coroutine) => coroutine.resumeAsync(1)));
          assert.ok(first.every(({ done, value }) => done === false && value === 1));
          const last = await Promise.all(all.map((coroutine) => coroutine.resumeAsync(1)));
          for (const { value } of last) sum += value;
        }
        return sum;
      },
      expected: operations,
    },
  ];
  return [await measure({ title: `${count} coroutines: create, suspend, finish`, operations, rows })];
}

await runParts(import.meta.url, {
  sequence,
  "shadow-stack": shadowStack,
  options,
  "overlapping-10": () => overlapping(10),
  "overlapping-500": () => overlapping(500),
  "coroutines-1": () => coroutines(1),
  "coroutines-1000": () => coroutines(1000),
});
