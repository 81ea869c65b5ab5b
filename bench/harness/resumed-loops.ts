/**
 * Frames that loop on after they were suspended: in QuickJS the one that interprets a script, and one of a guest in which
 * nearly everything is the loop. All of them do the same work as plain modules.
 */

import { ModuleBuilder } from "#src/binary/builder";
import { I32 } from "#src/binary/value-types";
import { SuspendableInstance } from "#src/transform/suspendable-instance";
import { transformModule } from "#src/transform/transform-module";
import { Engine } from "../../test/programs/quickjs-engine.ts";
import { findQuickJS } from "./quickjs.ts";

/** One program in three forms, which return the same. */
export interface LoopingProgram {
  readonly name: string;
  readonly plain: () => number;
  readonly transformed: () => number;
  /** Calls the guest, which suspends in front of its loop or in the first iteration; what it returns resumes it. */
  readonly suspended: () => () => number;
}

/** A transformed guest with one import that suspends once in a call, or not at all. */
class OnceSuspended {
  readonly guest: SuspendableInstance;
  #suspends = false;

  constructor(bytes: Uint8Array<ArrayBuffer>, imports: WebAssembly.Imports, [module, name]: readonly [string, string]) {
    const host = imports[module]![name] as (...parameters: readonly unknown[]) => unknown;
    const once = (...parameters: readonly unknown[]): unknown => {
      if (!this.#suspends) return host(...parameters);
      this.#suspends = false;
      return this.guest.suspend(() => host(...parameters));
    };
    const wrapped = { ...imports, [module]: { ...imports[module], [name]: once as WebAssembly.ExportValue } };
    this.guest = new SuspendableInstance(transformModule(bytes), wrapped);
  }

  /** Without a suspension. */
  call(name: string, ...parameters: readonly number[]): number {
    return this.guest.call(name, ...parameters)[0] as number;
  }

  /** Returns what resumes it. */
  suspend(name: string, ...parameters: readonly number[]): () => number {
    this.#suspends = true;
    const outcome = this.guest.start(name, ...parameters);
    if (outcome.done) throw new Error(`${name} has not suspended`);
    const value = (outcome.value as () => unknown)();
    return () => {
      const next = outcome.stack.resume(value);
      if (!next.done) throw new Error(`${name} has suspended twice`);
      return next.values[0] as number;
    };
  }
}

// -- A small guest

const ITERATIONS = 100_000;

/**
 * `sum = 0; do sum += some(n); while (--n); return sum`, where `some(n)` is a function that calls the import for the first `n` and
 * else returns `n * 7`. With `mixes` the loop has two more locals: `a += sum << 3; b += a`, and returns `b`.
 */
function buildLoop(mixes: boolean): Uint8Array<ArrayBuffer> {
  const builder = new ModuleBuilder();
  const type = { params: [I32], results: [I32] };
  const ask = builder.importFunction("env", "ask", type);
  const some = builder.addFunction(type);
  some.code.localGet(0).i32Const(ITERATIONS).i32Eq().if(I32).localGet(0).call(ask);
  some.code.else().localGet(0).i32Const(7).i32Mul().end();
  const main = builder.addFunction(type);
  const [sum, a, b] = [main.local(I32), main.local(I32), main.local(I32)];
  main.code.loop().localGet(sum).localGet(0).call(some.index).i32Add().localSet(sum);
  if (mixes) {
    main.code.localGet(a).localGet(sum).i32Const(3).i32Shl().i32Add().localTee(a);
    main.code.localGet(b).i32Add().localSet(b);
  }
  main.code.localGet(0).i32Const(1).i32Sub().localTee(0).brIf(0).end();
  main.code.localGet(mixes ? b : sum);
  builder.export("main", "function", main.index);
  return builder.build();
}

export function callingLoops(): LoopingProgram[] {
  return [
    callingLoop("a loop of calls that the engine inlines", buildLoop(false)),
    callingLoop("a loop of such a call and some arithmetic", buildLoop(true)),
  ];
}

function callingLoop(name: string, bytes: Uint8Array<ArrayBuffer>): LoopingProgram {
  const imports = { env: { ask: (n: number) => n } };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
  const transformed = new OnceSuspended(bytes, imports, ["env", "ask"]);
  return {
    name,
    plain: () => (instance.exports["main"] as (n: number) => number)(ITERATIONS),
    transformed: () => transformed.call("main", ITERATIONS),
    suspended: () => transformed.suspend("main", ITERATIONS),
  };
}

// -- QuickJS

const SCRIPTS: Readonly<Record<string, string>> = {
  numbers: "let s = 0; wait(); for (let i = 0; i < 30000; i++) s = (s + i * 3) & 0xffffff; return s",
  properties: `let o = { a: 1, b: 2 }; wait();
    for (let i = 0; i < 10000; i++) { o.a += o.b; o.b = o.a & 255 }
    return o.a`,
  calls: "function next(x) { return x + 1 } let s = 0; wait(); for (let i = 0; i < 10000; i++) s = next(s); return s",
};

/** Export of the pinned release that evaluates a script, and import that calls a function of the host. */
const EVALUATE = "pa";
const CALL_FUNCTION = ["a", "s"] as const;

/** A context in which scripts can call `wait`. */
class Context {
  readonly #engine: Engine;
  readonly #context: number;

  constructor(engine: Engine) {
    this.#engine = engine;
    const runtime = engine.call("newRuntime");
    engine.call("setMaxStackSize", runtime, 0);
    this.#context = engine.call("newContext", runtime, 0);
    const global = engine.call("getGlobalObject", this.#context);
    engine.with("wait", (name) => {
      const made = engine.call(
        "newFunction",
        this.#context,
        name,
        1,
        0,
        engine.register(() => undefined),
      );
      engine.call("setProp", this.#context, global, engine.call("newString", this.#context, name), made);
    });
  }

  /** Parameters of the export. */
  script(body: string): number[] {
    const source = `(() => { ${body} })()`;
    const [code, file] = [this.#engine.write(source), this.#engine.write("script.js")];
    return [this.#context, code, source.length, file, 0, 0];
  }

  number(value: number): number {
    return Number(this.#engine.text(this.#context, value));
  }
}

/** Nothing when QuickJS is not installed. */
export async function interpretedLoops(): Promise<LoopingProgram[]> {
  const quickjs = await findQuickJS();
  if (!quickjs) return [];
  const { bytes } = quickjs;
  const plainEngine = new Engine((imports) => new WebAssembly.Instance(new WebAssembly.Module(bytes), imports));
  let transformed!: OnceSuspended;
  const transformedEngine = new Engine((imports) => {
    transformed = new OnceSuspended(bytes, imports, CALL_FUNCTION);
    return { exports: transformed.guest.exports };
  });
  const [plain, other] = [new Context(plainEngine), new Context(transformedEngine)];
  return Object.entries(SCRIPTS).map(([name, body]) => {
    const [plainScript, script] = [plain.script(body), other.script(body)];
    return {
      name: `QuickJS, ${name}`,
      plain: () => plain.number((plainEngine.exports[EVALUATE] as Function)(...plainScript) as number),
      transformed: () => other.number(transformed.call(EVALUATE, ...script)),
      suspended: () => {
        const resume = transformed.suspend(EVALUATE, ...script);
        return () => other.number(resume());
      },
    };
  });
}
