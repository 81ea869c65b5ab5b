/**
 * In which order tasks run that could, and when they give way to the event loop.
 *
 * Those that start or yield stand in line, one line per priority. What runs is a microtask each; after {@link SLICE_MS} without a turn
 * of the event loop whoever does an operation goes on after the next turn, so that timers, input and output have their chance.
 */

import { runInNextTurn, timeInTurn } from "../platform/event-loop.ts";
import { Ring } from "./ring.ts";

/** Of those that could run at the same time, who is first. */
export type Priority = "high" | "normal" | "low";

/** How long tasks may keep the event loop from turning, in milliseconds, by operations that are ready. */
const SLICE_MS = 4;
/** Operations between two looks at the time. */
const OPERATIONS_PER_LOOK = 64;
/** Each so many that run, one of a lower priority is first, of either in turn: it may be late, but does not starve. */
const LOWER_EVERY = 32;
/** How many start in one microtask: what they have waiting then comes before further ones. */
const BATCH = 16;

const lines = { high: new Ring<() => void>(), normal: new Ring<() => void>(), low: new Ring<() => void>() };
const fromHighest = [lines.high, lines.normal, lines.low];
const fromNormal = [lines.normal, lines.low, lines.high];
const fromLowest = [lines.low, lines.normal, lines.high];
let isScheduled = false;
let turns = 0;
let operations = 0;
/** Those that go on after the next turn of the event loop. */
let nextTurn: (() => void)[] = [];

/** Whether whoever asks has to give way. Counts as an operation. */
export function isSliceOver(): boolean {
  if (nextTurn.length > 0) return true;
  if (++operations < OPERATIONS_PER_LOOK) return false;
  operations = 0;
  return timeInTurn(performance.now()) >= SLICE_MS;
}

/** The answer of an operation that is ready: at once, or after a turn of the event loop. */
export function ready<Value>(value: Value): Promise<Value> {
  return isSliceOver() ? new Promise((resolve) => afterTurn(() => resolve(value))) : Promise.resolve(value);
}

/** Goes on when the event loop has turned. */
export function afterTurn(goOn: () => void): void {
  if (nextTurn.push(goOn) > 1) return;
  runInNextTurn(() => {
    const all = nextTurn;
    nextTurn = [];
    operations = 0;
    for (const each of all) runOrReport(each);
  });
}

/** An error of one must not keep the others from going on: it is reported like an unhandled rejection. */
function runOrReport(goOn: () => void): void {
  try {
    goOn();
  } catch (error) {
    void Promise.reject(error);
  }
}

/** @throws {TypeError} when there is no such priority */
export function requirePriority(priority: Priority | undefined): void {
  if (priority === undefined || Object.hasOwn(lines, priority)) return;
  throw new TypeError(`Cannot run with priority ${priority}: expected high, normal or low`);
}

/** Runs it when its turn has come: never at once. */
export function enqueue(run: () => void, priority: Priority = "normal"): void {
  lines[priority].push(run);
  if (isScheduled) return;
  isScheduled = true;
  queueMicrotask(runSome);
}

/** Somebody who waits without a promise, and for whom the answer is there. */
export interface Resumption {
  deliver(): void;
}

const resumptions = new Ring<Resumption>();
let isResuming = false;

/** Has an answer delivered from a microtask: never inside the code that has brought it. */
export function resumeLater(resumption: Resumption): void {
  resumptions.push(resumption);
  if (isResuming) return;
  isResuming = true;
  queueMicrotask(resumeSome);
}

function resumeSome(): void {
  if (isSliceOver()) {
    afterTurn(resumeSome);
    return;
  }
  try {
    for (let i = 0; i < BATCH && resumptions.length > 0; i++) resumptions.shift().deliver();
  } finally {
    // Also after an error: it is that of one of them.
    if (resumptions.length > 0) queueMicrotask(resumeSome);
    else isResuming = false;
  }
}

/** The lines, the one first whose turn it is. */
function nextOrder(): readonly Ring<() => void>[] {
  if (++turns % LOWER_EVERY !== 0) return fromHighest;
  return turns % (2 * LOWER_EVERY) === 0 ? fromLowest : fromNormal;
}

function runSome(): void {
  if (isSliceOver()) {
    afterTurn(runSome);
    return;
  }
  for (let i = 0; i < BATCH; i++) {
    const line = nextOrder().find(({ length }) => length > 0);
    if (line === undefined) {
      isScheduled = false;
      return;
    }
    line.shift()();
  }
  queueMicrotask(runSome);
}
