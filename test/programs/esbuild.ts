/**
 * esbuild, a Go program: its stacks are in its memory, goroutines leave and re-enter the module, and JavaScript calls it back
 * for each file. Its event loop is simulated here, so that goroutines are woken in the same order in each run.
 */

import path from "node:path";
import type { Load } from "./guest.ts";
import { evaluate, steadyGlobals } from "./glue.ts";
import type { HostFunction, Observation } from "./observation.ts";
import type { Program } from "./program.ts";
import { SteadyFiles } from "./steady-files.ts";

/** What is used here of `wasm_exec.js`. */
interface Go {
  argv: string[];
  env: Record<string, string>;
  exited: boolean;
  readonly importObject: WebAssembly.Imports;
  exit(code: number): void;
  run(instance: WebAssembly.Instance): Promise<void>;
}
type Callback = (error: unknown, ...results: unknown[]) => void;

/** Runs what is due in the order of its times, without waiting. */
class SimulatedLoop {
  #now = 0;
  #next = 1;
  readonly #due: { readonly id: number; readonly time: number; readonly run: () => void }[] = [];

  readonly setTimeout = (run: () => void, delayMs = 0): number => {
    this.#due.push({ id: this.#next, time: this.#now + delayMs, run });
    return this.#next++;
  };

  readonly clearTimeout = (id: number): void => {
    const index = this.#due.findIndex((entry) => entry.id === id);
    if (index !== -1) this.#due.splice(index, 1);
  };

  /** Each reading takes a microsecond. */
  readonly now = (): number => (this.#now += 0.001);

  /** Returns whether there was anything. */
  runNext(): boolean {
    const first = this.#due.toSorted((a, b) => a.time - b.time || a.id - b.id)[0];
    if (!first) return false;
    this.clearTimeout(first.id);
    this.#now = Math.max(this.#now, first.time);
    first.run();
    return true;
  }
}

const STDOUT = 1;
const STDERR = 2;

/** The asynchronous functions of `node:fs`, which answer in the order of their calls; 1 and 2 are the two outputs. */
function makeFileSystem(
  files: SteadyFiles,
  loop: SimulatedLoop,
  outputs: Record<number, string>,
): Record<string, unknown> {
  const decoder = new TextDecoder();
  const print = (handle: number, bytes: Uint8Array): number => {
    outputs[handle] += decoder.decode(bytes);
    return bytes.length;
  };
  const answering = (work: HostFunction) => {
    return (...parameters: unknown[]): void => {
      const callback = parameters.pop() as Callback;
      loop.setTimeout(() => {
        let result: unknown;
        try {
          result = work(...parameters);
        } catch (error) {
          return callback(error);
        }
        return callback(null, result);
      });
    };
  };
  const system: Record<string, unknown> = { ...files.fs };
  for (const [name, work] of Object.entries(files.fs)) {
    if (name.endsWith("Sync")) system[name.slice(0, -"Sync".length)] = answering(work as HostFunction);
  }
  const { writeSync } = files.fs as { writeSync: HostFunction };
  const write = (handle: unknown, bytes: unknown, offset = 0, ...rest: unknown[]): unknown => {
    if (handle !== STDOUT && handle !== STDERR) return writeSync(handle, bytes, offset, ...rest);
    return print(handle, (bytes as Uint8Array).subarray(offset));
  };
  return { ...system, writeSync: write, write: answering(write as HostFunction) };
}

function build(args: readonly string[], files: Readonly<Record<string, string>>) {
  return async (load: Load): Promise<Observation> => {
    const steadyFiles = new SteadyFiles(files);
    const loop = new SimulatedLoop();
    const outputs = { [STDOUT]: "", [STDERR]: "" };
    const steady = steadyGlobals();
    const globals = {
      ...steady,
      performance: { now: loop.now },
      fs: makeFileSystem(steadyFiles, loop, outputs),
      process: { cwd: () => steadyFiles.folder, umask: () => 0o22, pid: 1, ppid: 0, platform: "linux" },
      path,
      setTimeout: loop.setTimeout,
      clearTimeout: loop.clearTimeout,
    };
    const globalThis_ = Object.create(globalThis, Object.getOwnPropertyDescriptors(globals)) as { Go: new () => Go };
    evaluate("esbuild-wasm/wasm_exec.js", { ...globals, globalThis: globalThis_ });
    const go = new globalThis_.Go();
    let exitCode = -1;
    go.argv = ["esbuild", ...args];
    go.env = { HOME: "/" };
    go.exit = (code) => (exitCode = code);
    const instance = load(go.importObject);
    const run = go.run(instance);
    while (!go.exited && loop.runNext());
    if (!go.exited) throw new Error("esbuild waits for something that never comes");
    await run;
    const memory = instance.exports["mem"] as WebAssembly.Memory;
    return { exitCode, stdout: outputs[STDOUT], stderr: outputs[STDERR], files: steadyFiles.finish(), memory };
  };
}

const SOURCES: Record<string, string> = {
  "main.ts": `
    import { Shape, area, type Kind } from "./shapes";
    import data from "./data.json";
    import { used } from "./library/index.js";
    enum Color { Red, Green = "green" }
    namespace Inner { export const value = 1; }
    @decorate class Component<T extends Shape> { constructor(private readonly shape: T) {} get area() { return area(this.shape)!; } }
    function decorate(target: unknown, context: unknown) { return target as never; }
    const kinds: Kind[] = ["circle"];
    async function* items() { for await (const x of kinds) yield x ?? Color.Green; }
    console.log(new Component({ kind: "circle", radius: 2 }).area, data.list.at(-1), used?.(), Inner.value, 2n ** 10n);
    import("./lazy").then(({ default: lazy }) => lazy());
  `,
  "view.tsx": `export const view = (props: { name: string }) => <><h1 key="a">{props.name}</h1>{[1, 2].map((n) => <li>{n}</li>)}</>;`,
  "shapes.ts": `
    export type Kind = Shape["kind"];
    export type Shape = { kind: "circle"; radius: number } | { kind: "square"; side: number };
    export const area = (shape: Shape) => { switch (shape.kind) { case "circle": return Math.PI * shape.radius ** 2; case "square": return shape.side ** 2; } };
    export const unused = /* @__PURE__ */ area({ kind: "square", side: 3 });
  `,
  "lazy.ts": `import { view } from "./view"; export default () => console.log("lazy", view({ name: "x" }));`,
  "data.json": `{ "list": [1, 2, 3], "name": "data" }`,
  "library/index.js": `exports.used = () => require("./other").value; exports.unused = class {};`,
  "library/other.js": `module.exports = { value: \`template \${[..."text"].join()}\`, ...{ a: 1 } };`,
  "style.css": `@import "./base.css"; .a { &:hover { color: rgb(0 0 0 / 50%); } inset: 0; background: url(./dot.svg) }`,
  "base.css": `:root { --x: calc(1px + 2px) } @media (min-width: 100px) { .b { margin: 0px 0px 0px 0px } }`,
  "dot.svg": `<svg xmlns="http://www.w3.org/2000/svg"><circle r="1"/></svg>`,
  "broken.ts": `const x: = 1;\nimport "./missing";\nexport { nothing }; await 1; let x = 2;`,
};

/** A module for each number, so that there is something to do. */
function manyFiles(count: number): Record<string, string> {
  const files: Record<string, string> = {};
  const imports: string[] = [];
  for (let index = 0; index < count; index++) {
    imports.push(`import { f${index} } from "./part${index}"; console.log(f${index}(${index}));`);
    const body = Array.from({ length: 30 }, (_, line) => `  const v${line} = x?.a ?? (${line} + ${index});`).join("\n");
    files[`part${index}.ts`] =
      `export async function f${index}(x: any): Promise<number> {\n${body}\n  return await x;\n}\n`;
  }
  return { ...files, "many.ts": imports.join("\n") };
}

export const program: Program = {
  name: "esbuild",
  wasm: "esbuild-wasm/esbuild.wasm",
  cases: {
    version: build(["--version"], {}),
    "bundle with source map": build(
      ["main.ts", "--bundle", "--outdir=out", "--sourcemap", "--target=es2020", "--metafile=meta.json"],
      SOURCES,
    ),
    "split and minify": build(
      ["main.ts", "lazy.ts", "--bundle", "--minify", "--splitting", "--format=esm", "--outdir=out", "--target=es2022"],
      SOURCES,
    ),
    css: build(["style.css", "--bundle", "--outfile=out.css", "--loader:.svg=dataurl", "--target=chrome80"], SOURCES),
    errors: build(["broken.ts", "--bundle"], SOURCES),
    "many files": build(["many.ts", "--bundle", "--target=es2016", "--minify", "--outfile=out.js"], manyFiles(150)),
  },
};
