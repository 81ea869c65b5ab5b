/**
 * Backend `transform`: what a suspension takes, with nothing but the exports of the modules and with the driver, what a frame
 * costs that loops on afterwards, and how many stacks there may be. transform.ts measures what does not suspend.
 */

import assert from "node:assert/strict";
import { decodeModule } from "#src/binary/decode-module";
import { ModuleEditor } from "#src/binary/editor";
import { I32 } from "#src/binary/value-types";
import { instantiate, suspend } from "stackful";
import type { Coroutine } from "stackful";
import { ABI, resultsExport, resumeExport } from "#src/transform/abi";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import type { Outcome, SuspendedStack } from "#src/transform/suspended-stack";
import { transformModule } from "#src/transform/transform-module";
import { asyncifiedLoop } from "./harness/asyncify-loop.ts";
import { linkAll } from "./harness/first-module.ts";
import { bytesOf } from "./harness/guests.ts";
import { compared, measure } from "./harness/measure.ts";
import type { GroupResult, Row } from "./harness/measure.ts";
import { runParts } from "./harness/parts.ts";
import { callingLoops, interpretedLoops } from "./harness/resumed-loops.ts";
import { addDriver, suspendingHost } from "./harness/wasm-host.ts";

// -- Suspend and resume

/**
 * In one sample, which also saves the frames below and at last continues them: of a thousand frames that is 0.1 ns of each switch. It is
 * over before another process gets its turn.
 */
const SWITCHES = 50_000;
const SAMPLES = 101;
const IMPORT_LIMIT_NS = 30;
const WASM_LIMIT_NS = 15;
const DEPTH_LIMIT = 1.5;
const DEPTHS = [1, 10, 100, 1000];

/** The guest `loop` with a memory, as other guests have one: then that of the stacks is the second. */
function loopGuest(): Uint8Array<ArrayBuffer> {
  const editor = new ModuleEditor(decodeModule(bytesOf("loop")));
  editor.export("memory", "memory", editor.addMemory({ minimum: 1 }));
  return editor.build();
}

/** Calls `loop_at`, which suspends in every call of its import, and resumes it until it returns. */
type Loop = (depth: number, switches: number) => number;

/** With nothing but the exports of the modules. */
function byAbi(): Loop {
  let suspend = (): void => {};
  const step = (): number => {
    suspend();
    return 0;
  };
  const { first, runtime } = linkAll(transformModule(loopGuest()), { host: { step, next: step, tick: step } });
  suspend = first[ABI.suspend]!;
  const resume = first[resumeExport([I32])]!;
  const results = first[resultsExport([I32])]!;
  return (depth, switches) => {
    runtime[ABI.begin]!();
    first["loop_at"]!(depth, switches);
    let area = runtime[ABI.leave]!() as number;
    while (area !== 0) area = resume(area, 1) as number;
    return results() as number;
  };
}

/** The import is WebAssembly, and so is the loop that resumes. */
function inWasm(): Loop {
  const host = suspendingHost();
  const { first, runtime } = linkAll(transformModule(loopGuest()), { host: host.imports });
  host.suspendWith(first[ABI.suspend]!);
  const drive = addDriver(first);
  const results = first[resultsExport([I32])]!;
  return (depth, switches) => {
    runtime[ABI.begin]!();
    first["loop_at"]!(depth, switches);
    drive(runtime[ABI.leave]!() as number);
    return results() as number;
  };
}

/** With the driver, which checks what it is told to do. */
function byDriver(): Loop {
  const suspend = (value: unknown): unknown => guest.suspend(value);
  const imports = { host: { step: suspend, next: suspend, tick: suspend } } as unknown as WebAssembly.Imports;
  const guest = new SuspendableInstance(transformModule(loopGuest()), imports);
  return (depth, switches) => {
    let outcome = guest.start("loop_at", depth, switches);
    while (!outcome.done) outcome = outcome.stack.resume(1);
    return outcome.values[0] as number;
  };
}

async function switches(title: string, loop: Loop, limitNs?: number): Promise<GroupResult[]> {
  const rows: Row[] = DEPTHS.map((depth) => ({
    name: `${depth} ${depth === 1 ? "frame" : "frames"} below`,
    run: () => loop(depth, SWITCHES),
    expected: SWITCHES,
    ...(depth > 1 && limitNs !== undefined && { limit: DEPTH_LIMIT }),
  }));
  const group = await measure({ title: `suspend and resume, ${title}`, operations: SWITCHES, samples: SAMPLES, rows });
  if (limitNs === undefined) return [group];
  const limit = { name: "what is allowed", value: limitNs, limit: 1 };
  const own = group.rows.map(({ name, ns }) => compared(name, [ns], limit));
  const against = `the same, against the time that is asked for`;
  return [group, { title: against, samples: 1, rows: [own[0]![0]!, ...own.map(([, row]) => row!)] }];
}

async function byBinaryen(): Promise<GroupResult[]> {
  const loop = asyncifiedLoop(loopGuest());
  return loop ? switches("through an import, Binaryen's Asyncify -O2", loop) : [];
}

// -- Frames that loop on after they were resumed

const LOOP_LIMIT = 2;

async function loops(): Promise<GroupResult[]> {
  const groups: GroupResult[] = [];
  for (const { name, plain, transformed, suspended } of [...callingLoops(), ...(await interpretedLoops())]) {
    const expected = plain();
    let resume = (): number => 0;
    const rows: Row[] = [
      { name: "plain", run: plain, expected },
      { name: "transformed", run: transformed, expected },
      {
        name: "transformed, after a suspension",
        prepare: () => (resume = suspended()),
        run: () => resume(),
        expected,
        limit: LOOP_LIMIT,
      },
    ];
    const title = `a frame that loops on after it was resumed: ${name}; goal 1.2x`;
    for (let warmUp = 0; warmUp < 300; warmUp++) for (const { prepare, run } of rows) void (prepare?.(), run());
    await new Promise((done) => setTimeout(done, 3000));
    groups.push(await measure({ title, operations: 1, samples: SAMPLES, rows }));
  }
  return groups;
}

// -- Many stacks

const STACKS = 1_000_000;
const ROUNDS = 5;
const STACK_LIMIT_BYTES = 1024;
const CREATE_LIMIT_NS = 1000;

/** With the driver: two frames deep. */
function millionStacks(): Promise<GroupResult[]> {
  const suspend = (): unknown => guest.suspend();
  const imports = { host: { step: suspend, next: suspend, tick: suspend } } as unknown as WebAssembly.Imports;
  const guest = new SuspendableInstance(transformModule(loopGuest()), imports);
  const make = (): SuspendedStack => suspendedStack(guest.start("loop_at", 1, 1));
  return million("stack", make, (stack) => stack.resume(1));
}

/** As users have them. */
async function millionCoroutines(): Promise<GroupResult[]> {
  const host = { step: (value: number) => suspend(value), next: () => 0, tick: () => {} };
  const instance = await instantiate(bytesOf("loop"), { host }, { backend: "transform" });
  const make = (): Coroutine => {
    const coroutine = instance.coroutine("loop", { args: [1] });
    assert.ok(coroutine.resume(undefined).done !== true);
    return coroutine;
  };
  return million("coroutine", make, (coroutine) => coroutine.resume(1));
}

/** All of them are suspended at the same time; then each of them runs to its end. */
async function million<Stack>(
  what: string,
  make: () => Stack,
  resume: (stack: Stack) => { readonly done?: boolean },
): Promise<GroupResult[]> {
  const [bytes, created, ended]: number[][] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const before = residentBytes();
    const start = performance.now();
    const stacks = Array.from({ length: STACKS }, make);
    created!.push(((performance.now() - start) * 1e6) / STACKS);
    // Later rounds find the memory of the first one in use already.
    if (round === 0) bytes!.push((residentBytes() - before) / STACKS);
    const between = performance.now();
    for (const stack of stacks) assert.ok(resume(stack).done);
    ended!.push(((performance.now() - between) * 1e6) / STACKS);
  }
  const size = { name: "what is allowed", value: STACK_LIMIT_BYTES, limit: 1 };
  const time = { name: "what is allowed", value: CREATE_LIMIT_NS, limit: 1 };
  return [
    {
      title: `a million suspended ${what}s, memory of each`,
      samples: 1,
      unit: "bytes",
      rows: compared(what, bytes!, size),
    },
    {
      title: `a million suspended ${what}s, each`,
      samples: ROUNDS,
      rows: [
        ...compared("create, run and suspend", created!, time),
        compared("resume and return", ended!, { ...time, limit: undefined })[1]!,
      ],
    },
  ];
}

function suspendedStack(outcome: Outcome): SuspendedStack {
  assert.ok(!outcome.done);
  return outcome.stack;
}

/** Without garbage, when the process was told to let programs collect it. */
function residentBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}

await runParts(
  import.meta.url,
  {
    "switch-wasm": () => switches("inside WebAssembly", inWasm(), WASM_LIMIT_NS),
    "switch-import": () => switches("through an import, with the exports of the modules", byAbi(), IMPORT_LIMIT_NS),
    "switch-driver": () => switches("through an import, with the driver", byDriver(), IMPORT_LIMIT_NS),
    "switch-binaryen": byBinaryen,
    loops,
    million: millionStacks,
    coroutines: millionCoroutines,
  },
  ["--expose-gc"],
);
