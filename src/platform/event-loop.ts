/**
 * Who gives way to the event loop, and for how long it has not turned.
 *
 * One of those who have given way goes on in each turn, in the order in which they came: however many guests loop for ever, whatever
 * else waits for the event loop has to wait for one slice.
 */

/** Those who wait for their turn. */
const waiting: (() => void)[] = [];
let isScheduled = false;
/** When somebody has asked for the first time in this turn, by `performance.now()`; `undefined`: nobody has. */
let turnStart: number | undefined;

/** Fulfils after the event loop has turned: timers, input and output have had their chance. Microtasks alone would not do. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    schedule();
  });
}

/** Milliseconds since this was asked for the first time in the current turn of the event loop. */
export function timeInTurn(now: number): number {
  if (turnStart === undefined) {
    turnStart = now;
    schedule();
  }
  return now - turnStart;
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  runInNextTurn(onTurn);
}

function onTurn(): void {
  isScheduled = false;
  turnStart = undefined;
  waiting.shift()?.();
  if (waiting.length > 0) schedule();
}

interface Platform {
  readonly setImmediate?: (callback: () => void) => unknown;
}

/**
 * Calls it after the event loop has turned. Browsers have no `setImmediate`, and a `setTimeout` of theirs takes 4 ms; a message takes
 * its turn like any other event.
 */
export function runInNextTurn(callback: () => void): void {
  const { setImmediate } = globalThis as Platform;
  if (setImmediate !== undefined) {
    setImmediate(callback);
    return;
  }
  channel ??= new MessageChannel();
  channel.port1.addEventListener("message", callback, { once: true });
  channel.port1.start();
  channel.port2.postMessage(undefined);
}

let channel: MessageChannel | undefined;
