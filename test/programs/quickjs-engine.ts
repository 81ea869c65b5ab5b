/**
 * The host of QuickJS: glue as small as will do, in place of that of Emscripten. Imports and exports have the one-letter names
 * of the pinned release.
 */

import type { Load } from "./guest.ts";
import { runAlone } from "./interleaving.ts";
import type { Body, ExportCall } from "./interleaving.ts";
import type { HostFunction } from "./observation.ts";

/** Exports that are used here. */
const EXPORT = {
  initialize: "u",
  malloc: "v",
  free: "M",
  newRuntime: "K",
  newContext: "N",
  freeValue: "P",
  freeContext: "O",
  freeRuntime: "L",
  setMaxStackSize: "D",
  getString: "$",
  freeCString: "S",
  newString: "_",
  getUndefined: "E",
  getGlobalObject: "ua",
  setProp: "ja",
  newFunction: "Da",
  argument: "Ea",
  eval: "pa",
  resolveException: "na",
  executePendingJob: "ga",
  enableInterruptHandler: "Fa",
  enableModuleLoader: "Ha",
  dump: "oa",
  newHostRef: "I",
  stackRestore: "Ma",
  stackSave: "Oa",
} as const;

const NOW_MS = 1_700_000_000_000;
const ENOSYS = 52;
const PAGE = 65_536;

type Answer = (text: string) => string | undefined;

/** One instance: allocations, strings and what it imports. */
export class Engine {
  readonly memory: WebAssembly.Memory;
  readonly #guest: WebAssembly.Instance;
  /** What functions of scripts do, by the numbers that they were made with. */
  readonly #answers: Answer[] = [];
  readonly modules: Record<string, string> = {};
  #interrupts = 0;

  constructor(load: Load) {
    this.memory = new WebAssembly.Memory({ initial: 256, maximum: 32_768 });
    this.#guest = load({ a: this.#imports() });
    this.call("initialize");
  }

  get exports(): WebAssembly.Exports {
    return this.#guest.exports;
  }

  call(name: keyof typeof EXPORT, ...parameters: readonly unknown[]): number {
    return (this.#guest.exports[EXPORT[name]] as HostFunction)(...parameters) as number;
  }

  read(address: number): string {
    const bytes = new Uint8Array(this.memory.buffer);
    return new TextDecoder().decode(bytes.slice(address, bytes.indexOf(0, address)));
  }

  /** The address of a copy that the caller has to free. */
  write(text: string): number {
    const bytes = new TextEncoder().encode(`${text}\0`);
    const address = this.call("malloc", bytes.length);
    new Uint8Array(this.memory.buffer).set(bytes, address);
    return address;
  }

  with<Result>(text: string, use: (address: number) => Result): Result {
    const address = this.write(text);
    try {
      return use(address);
    } finally {
      this.call("free", address);
    }
  }

  /** The number by which scripts call `answer`. */
  register(answer: Answer): number {
    return this.#answers.push(answer);
  }

  text(context: number, value: number): string {
    const address = this.call("getString", context, value);
    const text = this.read(address);
    this.call("freeCString", context, address);
    return text;
  }

  #imports(): Record<string, WebAssembly.ImportValue> {
    const fail = (what: string) => (): never => {
      throw new Error(`QuickJS called ${what}`);
    };
    // The one-letter names of the pinned release.
    return {
      a: this.memory,
      b: fail("__assert_fail"),
      c: fail("fd_write"),
      d: () => ENOSYS, // fd_close
      e: () => 0, // environ_get
      f: (count: number, size: number) => this.#store([count, 0], [size, 0]), // environ_sizes_get
      g: (_runtime: number, _context: number, _base: number, name: number) => this.write(this.read(name)), // normalizeModule
      h: (_runtime: number, _context: number, name: number) => this.write(this.modules[this.read(name)] ?? "throw 1"),
      i: () => Number(++this.#interrupts < 0), // shouldInterrupt: counts its calls in a result that is always 0
      j: () => 0, // _setitimer_js
      k: (bytes: number) => this.#grow(bytes), // emscripten_resize_heap
      l: () => {}, // _emscripten_runtime_keepalive_clear
      m: (_time: bigint, tm: number) => new Uint8Array(this.memory.buffer).fill(0, tm, tm + 44), // _localtime_js
      n: (zone: number, light: number) => this.#store([zone, 0], [light, 0]), // _tzset_js
      o: () => 70, // fd_seek
      p: () => NOW_MS, // emscripten_date_now
      q: fail("_abort_js"),
      r: fail("proc_exit"),
      s: (...parameters: number[]) => this.#callFunction(parameters as [number, number, number, number, number]),
      t: () => {}, // freeHostRef
    };
  }

  #store(...values: readonly (readonly [number, number])[]): number {
    const view = new DataView(this.memory.buffer);
    for (const [address, value] of values) view.setUint32(address, value, true);
    return 0;
  }

  #grow(bytes: number): number {
    this.memory.grow(Math.ceil((bytes - this.memory.buffer.byteLength) / PAGE));
    return 1;
  }

  #callFunction([context, , count, values, reference]: [number, number, number, number, number]): number {
    const first = count > 0 ? this.text(context, this.call("argument", values, 0)) : "";
    const result = this.#answers[reference - 1]!(first);
    return result === undefined ? 0 : this.with(result, (address) => this.call("newString", context, address));
  }
}

/**
 * A runtime with one context: nothing is shared with other scripts but the memory. Scripts call `print`, `ask` (for the next
 * line of input) and `evaluate`, which are functions of the host.
 */
export class Script {
  readonly #engine: Engine;
  readonly #runtime: number;
  readonly #context: number;
  output = "";

  constructor(engine: Engine, input = "") {
    this.#engine = engine;
    this.#runtime = engine.call("newRuntime");
    engine.call("setMaxStackSize", this.#runtime, 0);
    engine.call("enableInterruptHandler", this.#runtime);
    engine.call("enableModuleLoader", this.#runtime, 1);
    this.#context = engine.call("newContext", this.#runtime, 0);
    const lines = input.split("\n");
    this.#define("print", (text) => void (this.output += `${text}\n`));
    this.#define("ask", (text) => `${text}${lines.shift() ?? ""}`);
    this.#define("evaluate", (text) => this.evaluate(text));
  }

  #define(name: string, answer: Answer): void {
    const engine = this.#engine;
    const global = engine.call("getGlobalObject", this.#context);
    engine.with(name, (address) => {
      const made = engine.call("newFunction", this.#context, address, 1, 0, engine.register(answer));
      const property = engine.call("newString", this.#context, address);
      engine.call("setProp", this.#context, global, property, made);
      for (const value of [global, property, made]) engine.call("freeValue", this.#context, value);
    });
  }

  evaluate(source: string, isModule = false): string {
    return runAlone(this.evaluation(source, isModule), this.#engine.exports);
  }

  /** What {@link Script.evaluate} does, call by call. */
  *evaluation(source: string, isModule = false): Body {
    const engine = this.#engine;
    const context = this.#context;
    const length = new TextEncoder().encode(source).length;
    const code = engine.write(source);
    const name = engine.write("script.js");
    const value = yield* call("eval", context, code, length, name, isModule ? 1 : 0, 0);
    const thrown = yield* call("resolveException", context, value);
    if (thrown !== 0) engine.call("freeValue", context, value);
    const text = yield* this.#description(thrown === 0 ? value : thrown);
    engine.call("free", code);
    engine.call("free", name);
    const lastContext = engine.call("malloc", 4);
    const executed = yield* call("executePendingJob", this.#runtime, -1, lastContext);
    engine.call("free", lastContext);
    // How many jobs were run, or what one threw.
    return `${text} ${yield* this.#description(executed)}`;
  }

  /** As JSON, as far as possible. Frees the value. */
  *#description(value: number): Body {
    const engine = this.#engine;
    const address = yield* call("dump", this.#context, value);
    const text = engine.read(address);
    engine.call("freeCString", this.#context, address);
    engine.call("freeValue", this.#context, value);
    return text;
  }

  free(): void {
    this.#engine.call("freeContext", this.#context);
    this.#engine.call("freeRuntime", this.#runtime);
  }
}

function* call(name: keyof typeof EXPORT, ...parameters: readonly unknown[]): Generator<ExportCall, number, unknown> {
  return (yield { name: EXPORT[name], parameters }) as number;
}
