/**
 * CPython as a program that runs scripts: each on a thread of Python, which is an activation of the instance with a stack of its own.
 *
 * The first thread starts the others. Each opens a channel and waits there for orders; a thread that has nothing to do waits for the next
 * script. While one waits it has given away Python's lock, as around every call that may wait, so that others can go on.
 */

import { instantiate } from "../../instantiate.ts";
import type { GuestModule } from "../../link/guest-module.ts";
import type { Instance } from "../../link/instance.ts";
import { WASI } from "../../wasi/wasi.ts";
import { systemClock } from "../../wasi/host/clock.ts";
import { lines } from "../../wasi/host/text-output.ts";
import type { HostReferences } from "../host-references.ts";
import type { RuntimeOptions } from "../language.ts";
import { Channel } from "../program/channel.ts";
import { CHANNELS, ChannelDirectory } from "../program/channel-directory.ts";
import { ORDERS, REPORTS, encodeFrame } from "../program/frame.ts";
import type { Frame } from "../program/frame.ts";
import { FUEL, operationsLeft } from "../program/operations.ts";
import type { ScriptProgram } from "../program/script-program.ts";
import type { Strand } from "../program/strand.ts";
import { Turns } from "../program/turns.ts";
import { PYTHON_EXPORTS } from "./python-module.ts";
import { PRELUDE } from "./prelude.ts";

/** Its own functions take up to 2.1 MB for as many of them as Python allows, what lets go of a deep structure half a megabyte beyond. */
const MIN_STACK_BYTES = 3 * 1024 * 1024;
/** How many of its own functions Python allows to nest, in CPython 3.12 for WASI: in `sorted`, say, with a key that sorts. */
const DEPTH = 500;
/** How many the native stack has room for where all of it is that of this thread: in Node 20, before V8 has optimized them. */
const DEPTH_OF_TRANSFORM = 100;
/** Where it counts them: of what a thread begins with the fifth word is the address of its state, of which the seventh is what is left. */
const STATE_OF_BOOT = 16;
const DEPTH_OF_STATE = 24;
const MAX_THREADS = 100_000;
/** Has the prelude import what the host has. */
const MODULES_OF_HOST = "modules";
const LOADER = "import sys; exec(compile(sys.argv[1], '<stackful>', 'exec'))";

type Global = WebAssembly.Global<"i32">;

export class PythonProgram implements ScriptProgram {
  readonly ended: Promise<unknown>;
  readonly #references: HostReferences;
  readonly turns: Turns;
  readonly #threads = new Map<number, PythonThread>();
  readonly #idle: PythonThread[] = [];
  /** Told to begin, and without memory for their stacks. */
  readonly #unstarted: { readonly thread: PythonThread; readonly boot: number }[] = [];
  /** The thread that the first one was told to start. */
  #starting: PythonThread | undefined;
  /** What is sent before the next order. */
  readonly #told: Uint8Array[] = [];
  #instance!: Instance;
  #interruption = 0;
  #setEnded!: (reason: unknown) => void;
  #isReady!: () => void;

  private constructor(references: HostReferences) {
    this.#references = references;
    this.ended = new Promise((resolve) => (this.#setEnded = resolve));
    this.turns = new Turns({
      left: () => operationsLeft(this.#instance),
      interrupt: () => this.#interrupt(),
    });
  }

  static async start(module: GuestModule, options: RuntimeOptions, references: HostReferences): Promise<PythonProgram> {
    const program = new PythonProgram(references);
    await program.#start(module, options);
    return program;
  }

  async #start(module: GuestModule, { backend, stackBytes, print, loadModule }: RuntimeOptions): Promise<void> {
    const output = lines((text) => {
      print(text);
    });
    const wasi = new WASI({
      args: [
        "python",
        "-I",
        "-S",
        "-B",
        "-u",
        "-c",
        LOADER,
        PRELUDE,
        ...(loadModule === undefined ? [] : [MODULES_OF_HOST]),
      ],
      preopens: { [CHANNELS]: new ChannelDirectory((number) => this.#open(number)) },
      clock: this.turns.clock(systemClock),
      stdin: "ignore",
      stdout: output,
      stderr: output,
      maxOpenFiles: MAX_THREADS,
    });
    this.#instance = await instantiate(module, wasi.imports(), {
      backend,
      interruptible: { fuel: FUEL },
      stacks: { bytes: Math.max(stackBytes, MIN_STACK_BYTES) },
    });
    const { queueReason } = this.#instance;
    if (queueReason !== undefined) throw new Error(`Cannot start Python: its scripts cannot overlap: ${queueReason}`);
    const ready = new Promise<void>((resolve) => (this.#isReady = resolve));
    this.#threads.set(0, this.#newThread(0));
    const { signal } = this.#threads.get(0)!.abort;
    void this.#run(wasi.start(this.#instance, { signal }));
    const failure = await Promise.race([ready, this.ended]);
    if (failure !== undefined) throw new Error("Cannot start Python: it has ended", { cause: failure });
  }

  take(): Strand | Promise<Strand> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const unstarted = this.#unstarted.pop();
    if (unstarted !== undefined) return this.#started(unstarted.thread, () => this.#startThread(unstarted));
    const main = this.#threads.get(0)!;
    const thread = this.#newThread(this.#threads.size);
    this.#threads.set(thread.number, thread);
    return this.#started(thread, () =>
      // One after the other: what the thread begins with is in a global.
      this.turns.enter(main, () => {
        this.#global(PYTHON_EXPORTS.wanted).value = 1;
        this.#starting = thread;
        main.channel!.send(encodeFrame(ORDERS.start, undefined, thread.number));
      }),
    );
  }

  #started(thread: PythonThread, start: () => void): Promise<Strand> {
    return new Promise((resolve, reject) => {
      thread.started = (error) => (error === undefined ? resolve(thread) : reject(error));
      void this.ended.then((cause) => reject(new Error("Cannot start a thread of Python: it has ended", { cause })));
      start();
    });
  }

  giveBack(strand: Strand): void {
    this.#idle.push(strand as PythonThread); // there are no others
  }

  tell(order: Uint8Array): void {
    this.#told.push(order);
  }

  memoryBytes(): number {
    return this.#instance.memory!.buffer.byteLength;
  }

  end(): void {
    this.turns.unwatch();
    const reason = new Error("Python was ended");
    for (const { abort } of this.#threads.values()) abort.abort(reason);
  }

  #newThread(number: number): PythonThread {
    return new PythonThread(number, this.turns, this.#told);
  }

  #open(number: number): Channel | undefined {
    const thread = this.#threads.get(number);
    if (thread === undefined) return undefined;
    return (thread.channel = new Channel({
      onFrame: (frame) => this.#onFrame(thread, frame),
      onWait: () => this.#onWait(thread),
    }));
  }

  #onFrame(thread: PythonThread, frame: Frame): void {
    if (frame.kind === REPORTS.release) this.#references.release(frame.number);
    else if (frame.kind === REPORTS.ready) this.#interruption ||= frame.number;
    else {
      if (frame.kind === REPORTS.tick) this.turns.giveWay(thread);
      thread.listener?.(frame);
    }
  }

  #onWait(thread: PythonThread): void {
    if (thread.number === 0) this.#onMainWait();
    this.turns.leave(thread);
    thread.started?.();
    thread.started = undefined;
  }

  #onMainWait(): void {
    this.#isReady();
    const thread = this.#starting;
    if (thread === undefined) return;
    this.#starting = undefined;
    if (this.#global(PYTHON_EXPORTS.wanted).value === 0) {
      this.#startThread({ thread, boot: this.#global(PYTHON_EXPORTS.boot).value });
    } else {
      this.#global(PYTHON_EXPORTS.wanted).value = 0;
      thread.started?.(noMemory());
    }
  }

  #startThread(begun: { readonly thread: PythonThread; readonly boot: number }): void {
    const { thread, boot } = begun;
    this.turns.enter(thread, () => {
      const { abort } = thread;
      limitDepth(this.#instance, boot);
      const ended = this.#instance.function(PYTHON_EXPORTS.run).call([boot] as never, { signal: abort.signal });
      if (this.#instance.waiting === 0) {
        void this.#run(ended);
        return;
      }
      // For the end of another one, and none ends. To Python it has begun: it is the next one that is wanted.
      ended.catch(() => {});
      abort.abort();
      thread.abort = new AbortController();
      this.#unstarted.push(begun);
      thread.started?.(noMemory());
      this.turns.leave(thread);
    });
  }

  /** No thread ever comes to its end: if one does, all is over. */
  async #run(thread: Promise<unknown>): Promise<void> {
    let reason: unknown;
    try {
      reason = new Error(`A thread of Python has ended: ${String(await thread)}`);
    } catch (error) {
      reason = error;
    }
    this.#endWith(reason);
  }

  #endWith(reason: unknown): void {
    this.#setEnded(reason);
    this.end();
  }

  #interrupt(): void {
    try {
      // What a signal would do: Python may be in the middle of anything.
      (this.#instance.sync as Record<string, (...args: number[]) => unknown>)[PYTHON_EXPORTS.interrupt]!(
        this.#interruption,
      );
    } catch (error) {
      // Nobody waits for a timer.
      this.#endWith(error);
    }
  }

  #global(name: string): Global {
    return (this.#instance.exports as Readonly<Record<string, unknown>>)[name] as Global;
  }
}

function limitDepth({ backend, memory }: Instance, boot: number): void {
  if (backend === "jspi") return;
  const view = new DataView(memory!.buffer);
  const left = view.getUint32(boot + STATE_OF_BOOT, true) + DEPTH_OF_STATE;
  if (view.getInt32(left, true) === DEPTH) view.setInt32(left, DEPTH_OF_TRANSFORM, true);
}

function noMemory(): Error {
  return new Error("Cannot run script: there is no memory for a further thread of Python");
}

class PythonThread implements Strand {
  readonly number: number;
  /** Ends it. One for all would have as many listeners, of which Node warns. */
  abort = new AbortController();
  operations = 0;
  listener: ((frame: Frame) => void) | undefined;
  channel: Channel | undefined;
  /** Called when it waits for its first order, or cannot. */
  started: ((error?: Error) => void) | undefined;
  readonly #turns: Turns;
  readonly #told: Uint8Array[];

  constructor(number: number, turns: Turns, told: Uint8Array[]) {
    this.number = number;
    this.#turns = turns;
    this.#told = told;
  }

  send(order: () => Uint8Array): void {
    const go = (): void => {
      for (const told of this.#told.splice(0)) this.channel!.send(told);
      this.channel!.send(order());
    };
    this.#turns.continue(this, go);
  }
}
