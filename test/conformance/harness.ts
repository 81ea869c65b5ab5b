/** What every file of the conformance suite uses: guests, a host whose answers come when the test says so, and a leak check. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { instantiate } from "stackful";
import type { AnyExports, BackendName, GuestModule, HostImports, Instance, InstantiateOptions } from "stackful";
import { CURRENT, LIVE, SAVED, words } from "#src/link/switchboard";

/** A test that a backend cannot pass, and why. */
export interface Skip {
  readonly backend: string;
  readonly test: string;
  readonly reason: string;
}

export interface BackendUnderTest {
  /** What the tests are called by, if not by the name. */
  readonly title?: string;
  readonly name: BackendName;
  /** Whether a coroutine can be resumed on the stack of the caller. */
  readonly syncResume: boolean;
  readonly skips: readonly Skip[];
  /** Makes of a guest what is instantiated in its place. */
  readonly build?: (bytes: Uint8Array<ArrayBuffer>, options: InstantiateOptions) => Promise<Uint8Array<ArrayBuffer>>;
}

/** Exports of a guest by name; tests compare results, so their types do not matter. */
export type Functions<Name extends string> = { readonly [Key in Name]: (...args: unknown[]) => unknown };

export class Suite {
  readonly backend: BackendUnderTest;

  constructor(backend: BackendUnderTest) {
    this.backend = backend;
  }

  /** A test that also fails when it leaves an activation behind. */
  it(name: string, body: () => void | Promise<void>): void {
    const skip = this.backend.skips.find(({ backend, test }) => backend === this.backend.name && test === name);
    it(name, { skip: skip?.reason ?? false }, async (context) => {
      const before = liveActivations();
      // Node 20 takes a test that only waits for a timeout signal for one that nothing can continue.
      const keepAlive = setInterval(() => {}, 1000);
      try {
        await body();
      } catch (error) {
        if (!(error instanceof UnsupportedGuestError)) throw error;
        context.skip(error.message);
        return;
      } finally {
        clearInterval(keepAlive);
      }
      await turn();
      assert.equal(liveActivations(), before, "the test leaves live activations behind");
      assert.equal(words[CURRENT >> 2], 0, "an activation is still current");
    });
  }

  /** A guest of `test/guests` by its name, or bytes. */
  async instantiate<Exports extends object = AnyExports>(
    guest: string | BufferSource | GuestModule,
    imports: HostImports = {},
    options: InstantiateOptions = {},
  ): Promise<Instance<Exports>> {
    const bytes = typeof guest === "string" ? supportedGuest(guest) : guest;
    const { name, build } = this.backend;
    // What is transformed ahead of time is not counted, and its memory not limited.
    const isBuilt = options.interruptible === undefined && options.maxMemoryBytes === undefined;
    const built =
      build && isBuilt && bytes instanceof Uint8Array ? await build(Uint8Array.from(bytes), options) : bytes;
    return instantiate<Exports>(built, imports, { backend: name, ...options });
  }
}

/** The engine of an older runtime does not know an instruction of a guest: such a test is skipped, and says so. */
class UnsupportedGuestError extends Error {}

function supportedGuest(name: string): Uint8Array<ArrayBuffer> {
  const bytes = guestBytes(name);
  const isNewest = Number.parseInt(process.versions.node, 10) >= 26;
  if (isNewest || WebAssembly.validate(bytes)) return bytes;
  throw new UnsupportedGuestError(`the engine cannot compile guest ${name}`);
}

export function guestBytes(name: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(readFileSync(new URL(`../guests/${name}.wasm`, import.meta.url)));
}

/** Calls that have started and not ended, of all instances. */
export function liveActivations(): number {
  return words[LIVE >> 2]! + words[SAVED >> 2]!;
}

/** Lets everything run that can run now: all microtasks, and what they lead to. */
export function turn(): Promise<void> {
  return new Promise((done) => {
    setImmediate(done);
  });
}

/** Turns of the event loop until `condition` holds. Engines compile on other threads, which a busy machine may keep waiting. */
export async function eventually(condition: () => boolean, deadlineMs = 30_000): Promise<void> {
  const start = performance.now();
  for (let turns = 0; !condition(); turns++) {
    assert.ok(performance.now() - start < deadlineMs, `it did not come to pass: ${condition.toString()}`);
    await (turns < 1000 ? turn() : new Promise((done) => setTimeout(done, 1)));
  }
}

export interface Deferred<Value> {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value | PromiseLike<Value>) => void;
  readonly reject: (reason: unknown) => void;
}

export function defer<Value = unknown>(): Deferred<Value> {
  let resolve!: Deferred<Value>["resolve"];
  let reject!: Deferred<Value>["reject"];
  const promise = new Promise<Value>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** `host.wait(id)`: nothing comes back before the test opens the door of that id, maybe ahead of the guest. */
export class Doors {
  readonly #doors = new Map<number, { readonly answers: Deferred<unknown>[]; waited: number; opened: number }>();
  /** Ids in the order in which guests came to wait. */
  readonly arrivals: number[] = [];

  readonly wait = (id: number): Promise<unknown> => {
    this.arrivals.push(id);
    const door = this.#door(id);
    return this.#answer(id, door.waited++).promise;
  };

  open(id: number, answer: unknown = 0): void {
    this.#answer(id, this.#door(id).opened++).resolve(answer);
  }

  fail(id: number, reason: unknown): void {
    this.#answer(id, this.#door(id).opened++).reject(reason);
  }

  #door(id: number): { readonly answers: Deferred<unknown>[]; waited: number; opened: number } {
    let door = this.#doors.get(id);
    if (door === undefined) this.#doors.set(id, (door = { answers: [], waited: 0, opened: 0 }));
    return door;
  }

  #answer(id: number, position: number): Deferred<unknown> {
    const { answers } = this.#door(id);
    while (answers.length <= position) answers.push(defer());
    return answers[position]!;
  }
}

/** What `promise` rejects with; fails if it fulfils. */
export function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(promise).then(
    (value) => assert.fail(`expected a rejection, got ${String(value)}`),
    (error: unknown) => error,
  );
}

/** What `body` throws; fails if it returns. */
export function errorOf(body: () => unknown): unknown {
  let value: unknown;
  try {
    value = body();
  } catch (error) {
    return error;
  }
  return assert.fail(`expected an error, got ${String(value)}`);
}

export function permutations<Item>(items: readonly Item[]): Item[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((first, position) => permutations(items.toSpliced(position, 1)).map((rest) => [first, ...rest]));
}

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, position) => from + position);
}

export function text(memory: WebAssembly.Memory | undefined, address: number, length: number): string {
  return new TextDecoder().decode(new Uint8Array(memory!.buffer, address, length));
}
