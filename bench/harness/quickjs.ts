/**
 * QuickJS, the JavaScript engine compiled by Emscripten, with any module in the place of its own.
 *
 * Comes from the npm packages `@jitl/quickjs-wasmfile-release-sync` and `quickjs-emscripten-core` 0.32.0, see packages.ts.
 */

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { findInstalled } from "./packages.ts";

const WASM_FILE = "@jitl/quickjs-wasmfile-release-sync";
const CORE = "quickjs-emscripten-core";

/** The part of `quickjs-emscripten-core` that is used here. */
interface Core {
  newVariant(base: unknown, options: { emscriptenModule: object }): unknown;
  newQuickJSWASMModuleFromVariant(variant: unknown): Promise<{ newContext(): Context }>;
}
interface Context {
  evalCode(source: string): { readonly error?: unknown; readonly value: { dispose(): void } };
  dump(handle: unknown): unknown;
}
type Receive = (instance: WebAssembly.Instance, module: WebAssembly.Module) => void;

/** One engine: runs the body of a function and returns its result. */
export type Evaluate = (body: string) => unknown;

export interface QuickJS {
  readonly file: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** An engine that runs on `main` instead of `bytes`; `host` has what `main` imports besides. */
  start(main: Uint8Array<ArrayBuffer>, host?: AddedHost): Promise<Evaluate>;
}

/** What an edited module needs of its host. */
export interface AddedHost {
  readonly imports: WebAssembly.Imports;
  /** Called before anything runs. */
  readonly attach: (instance: WebAssembly.Instance) => void;
}

/** Null when the packages are not there. */
export async function findQuickJS(): Promise<QuickJS | null> {
  const wasm = findInstalled(`${WASM_FILE}/wasm`);
  const variantFile = findInstalled(WASM_FILE);
  const coreFile = findInstalled(CORE);
  if (wasm === null || variantFile === null || coreFile === null) {
    console.log("\nWithout QuickJS: npm run bench:guests installs it");
    return null;
  }
  const load = async (file: string): Promise<object> => (await import(pathToFileURL(file).href)) as object;
  const core = (await load(coreFile)) as Core;
  const variant = ((await load(variantFile)) as { default: { default?: unknown } }).default;
  return {
    file: wasm,
    bytes: Uint8Array.from(readFileSync(wasm)),
    start: (main, host) => start(core, variant.default ?? variant, { main, host }),
  };
}

async function start(
  core: Core,
  variant: unknown,
  { main, host }: { main: Uint8Array<ArrayBuffer>; host: AddedHost | undefined },
): Promise<Evaluate> {
  const instantiateWasm = (imports: WebAssembly.Imports, receive: Receive): WebAssembly.Exports => {
    const module = new WebAssembly.Module(main);
    const instance = new WebAssembly.Instance(module, { ...imports, ...host?.imports });
    host?.attach(instance);
    receive(instance, module);
    return instance.exports;
  };
  const engine = await core.newQuickJSWASMModuleFromVariant(
    core.newVariant(variant, { emscriptenModule: { instantiateWasm } }),
  );
  const context = engine.newContext();
  return (body) => {
    const { error, value } = context.evalCode(`(() => {${body}})()`);
    if (error !== undefined) throw new Error(`QuickJS: ${JSON.stringify(context.dump(error))}`);
    const result = context.dump(value);
    value.dispose();
    return result;
  };
}

/** Programs that do not call the host; what they spend their time with → source of a function body. */
export const WORKLOADS: Readonly<Record<string, string>> = {
  calls: "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) } return fib(20)",
  properties: `let o = { a: 1, b: 2, c: 3 }, sum = 0;
    for (let i = 0; i < 30000; i++) { o.a += o.b; o.c = o.a & 255; sum += o.c }
    return sum`,
  sorting: `let a = [], x = 1;
    for (let i = 0; i < 3000; i++) { x = (x * 1103515245 + 12345) & 0x7fffffff; a.push(x) }
    a.sort((p, q) => p - q);
    return a[5]`,
  strings: `let s = "";
    for (let i = 0; i < 8000; i++) { s += String.fromCharCode(65 + i % 26); if (s.length > 500) s = s.slice(250) }
    return s.length`,
  "regular expressions": String.raw`let found = 0;
    for (let i = 0; i < 800; i++) if (/(\w+)@(\w+)\.com/.exec("hello foo" + i + "@bar.com x")) found++;
    return found`,
  arrays: `let sum = 0;
    for (let k = 0; k < 60; k++)
      sum += [...Array(100).keys()].map((x) => x * 2).filter((x) => x % 3).reduce((a, b) => a + b, 0);
    return sum`,
  closures: `let make = (i) => () => i++, next = make(0), sum = 0;
    for (let i = 0; i < 20000; i++) sum += next();
    return sum`,
  json: `let o = { a: [1, 2, 3, { b: "x".repeat(20) }], c: null, d: 1.5 }, length = 0;
    for (let i = 0; i < 400; i++) length += JSON.stringify(JSON.parse(JSON.stringify(o))).length;
    return length`,
  classes: `class A { constructor(x) { this.x = x } get() { return this.x } }
    class B extends A { get() { return super.get() + 1 } }
    let sum = 0;
    for (let i = 0; i < 5000; i++) sum += new B(i).get();
    return sum`,
  maps: `let m = new Map(), sum = 0;
    for (let i = 0; i < 6000; i++) m.set("k" + (i % 500), i);
    for (const [, value] of m) sum += value;
    return sum`,
};
