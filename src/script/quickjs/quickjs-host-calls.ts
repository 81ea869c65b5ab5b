/** What QuickJS asks its host: to call functions, whether to go on, and for modules. Where the host waits, so does the script. */

import type { HostFunction, RuntimeOptions } from "../language.ts";
import { isThenable } from "../../threads/answerer.ts";
import { STOPPED } from "../script-run.ts";
import type { ScriptRun } from "../script-run.ts";
import type { QuickJSActivation } from "./quickjs-activation.ts";
import { ThrownByScript } from "./quickjs-engine.ts";
import type { NativeFunction, QuickJSEngine } from "./quickjs-engine.ts";
import type { QuickJSCallbacks } from "./quickjs-package.ts";
import type { HostReferences } from "../host-references.ts";
import { NOT_SIMPLE } from "./quickjs-values.ts";

/** How often the engine asks whether to go on: after so many calls and turns of loops. */
const OPERATIONS_PER_QUESTION = 10_000;

export class QuickJSHostCalls implements QuickJSCallbacks {
  readonly #options: RuntimeOptions;
  readonly #references: HostReferences;
  /** Is there when scripts run; before, only functions of this library are called. */
  #engine: QuickJSEngine | undefined;

  constructor(options: RuntimeOptions, references: HostReferences) {
    this.#options = options;
    this.#references = references;
  }

  attach(engine: QuickJSEngine): void {
    this.#engine = engine;
  }

  readonly callFunction: QuickJSCallbacks["callFunction"] = (...[, , , count, args, id]) => {
    const callee = this.#references.get(id) as NativeFunction | { readonly callee: HostFunction };
    return typeof callee === "function" ? callee(count, args) : this.#callHost(callee.callee, count, args);
  };

  readonly freeHostRef = (_: unknown, _runtime: number, id: number): void => this.#references.release(id);

  readonly shouldInterrupt = (): number | Promise<number> => {
    const engine = this.#engine;
    if (engine?.isEnding === true || engine?.isPlainCallLate === true) return 1;
    const run = engine?.run;
    if (run === undefined) return 0;
    const pause = run.tick(OPERATIONS_PER_QUESTION, engine!.activation !== undefined);
    return pause === undefined ? Number(run.isStopped) : pause.then(() => Number(run.isStopped));
  };

  /** A name that begins with `./` or `../` is one beside the module that imports it. */
  readonly normalizeModule: QuickJSCallbacks["normalizeModule"] = (...[, , , base, name]) => {
    return this.#engine!.instance.memory.copyText(resolveName(base, name)).address;
  };

  readonly loadModuleSource = (_: unknown, _runtime: number, _context: number, name: string): unknown => {
    const load = this.#options.loadModule ?? missing;
    return this.#answer(
      () => load(name),
      (source) => {
        if (typeof source === "string") return this.#engine!.instance.memory.copyText(source).address;
        throw new TypeError(`Cannot import "${name}": loadModule must give its source, received ${typeof source}`);
      },
      () => 0,
    );
  };

  #callHost(callee: HostFunction, count: number, args: number): unknown {
    const engine = this.#engine!;
    const { values } = engine;
    const list: unknown[] = [];
    for (let index = 0; index < count; index++) {
      const value = values.read(values.argument(args, index));
      if (value === NOT_SIMPLE) return this.#callWithObjects(callee, count, args);
      list.push(value);
    }
    return this.#call((run) => this.#options.functions.callHost(callee, list, run));
  }

  /**
   * The prelude reads them. That calls functions of the script where they have getters, or are proxies, and those may loop or wait: so it is
   * an activation, for which this one waits.
   */
  #callWithObjects(callee: HostFunction, count: number, args: number): unknown {
    const engine = this.#engine!;
    const { values, instance, activation, run } = engine;
    const copies = Array.from({ length: count }, (_, index) =>
      instance.functions.QTS_DupValuePointer(instance.context, values.argument(args, index)),
    );
    if (activation !== undefined) {
      return this.#call(async () => {
        const encoded = await engine.preludeCall("encodeAll", copies, run!);
        return this.#callEncoded(callee, encoded, run!);
      });
    }
    const encoded = engine.plainCall("encodeAll", copies);
    return values.isException(encoded) ? encoded : this.#call(() => this.#callEncoded(callee, encoded, run!));
  }

  #callEncoded(callee: HostFunction, encoded: number, run: ScriptRun): unknown {
    const engine = this.#engine!;
    if (engine.values.isException(encoded)) throw new ThrownByScript(engine.takeThrown(encoded));
    return this.#options.functions.callHost(callee, engine.takeWire(encoded) as unknown[], run);
  }

  #call(ask: (run: ScriptRun) => unknown): unknown {
    const engine = this.#engine!;
    return this.#answer(
      ask,
      (value) => engine.toScript(value),
      () => engine.values.exception(),
    );
  }

  /**
   * Has the host do something, and gives the engine what `use` makes of the answer; `failed`, if an exception is thrown there.
   */
  #answer(
    ask: (run: ScriptRun) => unknown,
    use: (answer: unknown) => number,
    failed: () => number,
  ): number | Promise<number> {
    const engine = this.#engine!;
    const { activation, run } = engine;
    if (run === undefined) {
      engine.raise(new TypeError("Cannot call a function of the host here: no script is running"));
      return failed();
    }
    try {
      const answer = ask(run);
      if (isThenable(answer)) {
        if (activation !== undefined) return this.#answerLater(activation, answer, { use, failed });
        // Nobody is going to look at it.
        answer.then(undefined, () => {});
        throw new TypeError("Cannot wait for a function of the host here: the host is reading a value of the script");
      }
      if (run.isStopped) {
        engine.raiseEnding();
        return failed();
      }
      const owed = activation && run.takeOwed();
      return owed === undefined
        ? use(answer)
        : this.#answerLater(
            activation!,
            owed.then(() => answer),
            { use, failed },
          );
    } catch (error) {
      this.#raise(run, error);
      return failed();
    }
  }

  #answerLater(
    activation: QuickJSActivation,
    promise: PromiseLike<unknown>,
    { use, failed }: { readonly use: (answer: unknown) => number; readonly failed: () => number },
  ): Promise<number> {
    const { run } = activation;
    return new Promise((resolve) => {
      const reject = (error: unknown): void => {
        activation.raiseWhenEntered(() => this.#raise(run, error));
        resolve(failed());
      };
      const answered = (answer: unknown): void => {
        if (answer === STOPPED) return reject(run.reason);
        let value: number;
        try {
          value = use(answer);
        } catch (error) {
          return reject(error);
        }
        resolve(value);
      };
      run.wait(promise, answered, reject);
    });
  }

  #raise(run: ScriptRun, error: unknown): void {
    const engine = this.#engine!;
    if (!run.isStopped) return engine.raise(error);
    if (error instanceof ThrownByScript) engine.values.free(error.value);
    engine.raiseEnding();
  }
}

function missing(name: string): never {
  throw new Error(`Cannot import "${name}": the engine has no loadModule`);
}

function resolveName(base: string, name: string): string {
  if (!/^\.{1,2}\//.test(name)) return name;
  const parts = base.split("/").slice(0, -1);
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
