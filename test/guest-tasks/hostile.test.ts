/** Guests that mean harm: they call everything of `stackful.h` with anything, from many tasks at once. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { array, asyncProperty, assert as check, constantFrom, integer, oneof, record, tuple } from "fast-check";
import type { Arbitrary } from "fast-check";
import { compile, instantiate } from "stackful";
import type { GuestModule } from "stackful";
import { GuestTasks } from "stackful/guest-tasks";
import { Channel, DeadlockError, dump } from "stackful/tasks";
import { LIVE, words } from "#src/link/switchboard";
import { turn } from "../tasks/harness.ts";
import { assemble } from "../transform/assemble.ts";
import { onBackends } from "./programs.ts";
import type { Backend } from "./programs.ts";

/** How many parameters each function has; all are i32, but that of `sleep`, and so is the result, if there is one. */
const FUNCTIONS = {
  spawn: 3,
  join: 3,
  name: 3,
  detach: 1,
  cancel: 1,
  self: 0,
  yield: 0,
  sleep: 1,
  local_new: 1,
  local_get: 1,
  local_set: 2,
  local_take: 1,
  channel_new: 2,
  channel_open: 2,
  channel_send: 3,
  channel_receive: 3,
  channel_length: 1,
  channel_close: 1,
  select: 3,
  free: 1,
  mutex_new: 0,
  mutex_lock: 2,
  mutex_unlock: 1,
  rwlock_new: 0,
  rwlock_read: 2,
  rwlock_write: 2,
  rwlock_unlock: 1,
  semaphore_new: 1,
  semaphore_acquire: 3,
  semaphore_release: 2,
  condition_new: 0,
  condition_wait: 2,
  condition_notify: 2,
  barrier_new: 1,
  barrier_wait: 2,
} as const;
type Name = keyof typeof FUNCTIONS;
const NAMES = Object.keys(FUNCTIONS) as Name[];
const WITHOUT_RESULT: readonly Name[] = ["yield", "sleep"];

function importOf(name: Name): string {
  const params = name === "sleep" ? "f64" : "i32 ".repeat(FUNCTIONS[name]);
  const result = WITHOUT_RESULT.includes(name) ? "" : "(result i32)";
  return `(import "stackful" "${name}" (func $${name} (param ${params}) ${result}))`;
}

function caseOf(name: Name, index: number): string {
  const args = Array.from({ length: FUNCTIONS[name] }, (_, position) => `(call $argument (i32.const ${position}))`);
  if (name === "sleep") args[0] = "(f64.div (f64.convert_i32_s (call $argument (i32.const 0))) (f64.const 0))";
  const call = `(call $${name} ${args.join(" ")})`;
  const value = WITHOUT_RESULT.includes(name) ? `${call} (i32.const 0)` : call;
  return `(if (i32.eq (local.get $next) (i32.const ${index})) (then (call $answer (local.get $next) ${value})))`;
}

/** Does what the host says until that is -1: in its main function, and in each task. `hooks` are exports more. */
const guestText = (hooks = ""): string => `(module
  ${NAMES.map(importOf).join("\n")}
  (import "host" "next" (func $next (result i32)))
  (import "host" "argument" (func $argument (param i32) (result i32)))
  (import "host" "answer" (func $answer (param i32 i32)))
  (memory (export "memory") 1)
  (func $act (local $next i32)
    (loop $again
      (local.set $next (call $next))
      ${NAMES.map(caseOf).join("\n")}
      (br_if $again (i32.ge_s (local.get $next) (i32.const 0)))))
  (func (export "_start") (call $act))
  (func (export "stackful_start") (param i32 i32) (result i32) (call $act) (i32.const 7))
  ${hooks})`;

const modules = new Map<string, Promise<GuestModule>>();

function moduleOf(backend: Backend, hooks?: string): Promise<GuestModule> {
  const key = `${backend} ${hooks}`;
  if (!modules.has(key))
    modules.set(
      key,
      assemble(guestText(hooks)).then((bytes) => compile(bytes, { backend })),
    );
  return modules.get(key)!;
}

interface Step {
  readonly name: Name;
  readonly args: readonly number[];
}

/** Numbers of things that there may be, times, pointers to the end of the memory and beyond it. */
const argument = oneof(
  { weight: 6, arbitrary: integer({ min: -1, max: 6 }) },
  { weight: 2, arbitrary: constantFrom(64, 65_520, 65_532, 65_535, 65_536, 2 ** 20, 2 ** 20 + 1) },
  { weight: 1, arbitrary: constantFrom(-4, 2 ** 31 - 1, -(2 ** 31), 2 ** 31 - 65_536) },
);
const step: Arbitrary<Step> = record({
  name: oneof(constantFrom(...NAMES), constantFrom<Name[]>("spawn", "spawn", "channel_new", "mutex_lock")),
  args: tuple(argument, argument, argument),
});

interface Ended {
  readonly answers: readonly number[];
  readonly error: unknown;
}

/** Ends it after `limitMs`. */
async function run(
  module: GuestModule,
  steps: readonly Step[],
  { maxBytes, limitMs = 10_000 }: { readonly maxBytes?: number; readonly limitMs?: number } = {},
): Promise<Ended> {
  let position = 0;
  const answers: number[] = [];
  let current: Step | undefined;
  const channels = { "": new Channel<Uint8Array>({ capacity: 1 }) };
  const tasks = new GuestTasks({ channels, maxTasks: 20, maxBytes });
  const host = {
    next: (): number => {
      current = steps[position++];
      return current === undefined ? -1 : NAMES.indexOf(current.name);
    },
    argument: (index: number): number => current!.args[index]!,
    answer: (_: number, answer: number): void => void answers.push(answer),
  };
  const instance = await instantiate(module, { host, ...tasks.imports() });
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort("enough"), limitMs);
  let error: unknown;
  try {
    await tasks.run((options) => instance.function("_start").call([], options), { signal: controller.signal });
  } catch (thrown) {
    error = thrown;
  }
  clearTimeout(timer);
  return { answers, error };
}

/** What is thrown where nobody looks, while `body` runs. */
async function unhandled(body: () => Promise<void>): Promise<unknown[]> {
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  process.on("unhandledRejection", onError);
  process.on("uncaughtException", onError);
  try {
    await body();
    await turn();
  } finally {
    process.off("unhandledRejection", onError);
    process.off("uncaughtException", onError);
  }
  return errors;
}

describe("A hostile guest", () => {
  onBackends("gets numbers, and leaves nothing behind, whatever its tasks call", async (backend) => {
    const module = await moduleOf(backend);
    const before = { live: words[LIVE >> 2], tasks: dump().length };
    let answers = 0;
    const errors = await unhandled(() =>
      check(
        asyncProperty(array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
          const { answers: more, error } = await run(module, steps, { limitMs: 10 });
          answers += more.length;
          const isExpected =
            error === undefined ||
            error === "enough" ||
            error instanceof DeadlockError ||
            // It may cancel its main task.
            (error instanceof DOMException && error.name === "AbortError");
          if (!isExpected) throw error;
          await turn();
          assert.deepEqual({ live: words[LIVE >> 2], tasks: dump().length }, before);
        }),
        { numRuns: 300 },
      ),
    );
    assert.deepEqual(errors, []);
    assert.ok(answers > 2000, `${answers} answers`);
  });

  onBackends("takes no more of the host's memory than it may", async (backend) => {
    const module = await moduleOf(backend);
    const step = (name: Name, ...args: readonly number[]): Step => ({ name, args });
    const times = (count: number, each: Step): Step[] => Array.from({ length: count }, () => each);
    const EAGAIN = -6;
    const maxBytes = 10 * 1024;
    const made = await run(module, times(12, step("mutex_new")), { maxBytes });
    assert.deepEqual(made.answers.slice(8), [9, 10, EAGAIN, EAGAIN]);
    const channel = step("channel_new", -1, 1000);
    const [send, receive] = [step("channel_send", 1, 0, 0), step("channel_receive", 1, 0, 0)];
    const sent = await run(module, [channel, ...times(10, send), receive, send, send], { maxBytes });
    assert.deepEqual(sent.answers.slice(8), [0, 0, EAGAIN, 0, 0, EAGAIN]);
    const round = [step("channel_new", 0, 1000), step("channel_new", 20, 1000)];
    for (let handle = 1; handle < 100; handle += 2) {
      round.push(...times(12, step("channel_send", handle, 0, 0)), ...times(9, step("channel_send", handle + 1, 0, 0)));
      round.push(step("free", handle), step("free", handle + 1), ...round.slice(0, 2));
    }
    const again = await run(module, round, { maxBytes });
    assert.deepEqual(again.answers.slice(-2), [101, 102]);
    assert.ok(again.answers.includes(EAGAIN));
  });

  /** `stackful_tls`, `stackful_set_tls` and what is said of them. */
  const HOOKS = {
    trap: ["(i32.load (i32.const -4))", "(i32.store (i32.const -4) (i32.const 0))", /out of bounds|memory access/],
    "are functions of the host": ["(call $self)", "", /Cannot spawn: the guest's stackful_tls and stackful_set_tls/],
    "want to wait": ["(i32.const 0)", "(call $yield)", /Cannot spawn/],
    "never end": ["(loop (br 0)) (i32.const 0)", "", /Cannot spawn/],
    "cannot be reached": ["(unreachable)", "(unreachable)", /Cannot spawn/],
  } as const;

  for (const [what, [read, write, expected]] of Object.entries(HOOKS)) {
    onBackends(`ends if its functions for thread-local variables ${what}`, async (backend) => {
      const module = await moduleOf(
        backend,
        `(func (export "stackful_tls") (result i32) ${read}) (func (export "stackful_set_tls") (param i32) ${write})`,
      );
      const before = { live: words[LIVE >> 2], tasks: dump().length };
      const spawn: Step = { name: "spawn", args: [0, 0, 0] };
      const pause: Step = { name: "yield", args: [] };
      const errors = await unhandled(async () => {
        const { error } = await run(module, [spawn, spawn, pause, pause, pause, pause, pause]);
        assert.match(String(error), expected);
      });
      assert.deepEqual(errors, []);
      assert.deepEqual({ live: words[LIVE >> 2], tasks: dump().length }, before);
    });
  }
});
