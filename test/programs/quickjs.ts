/** QuickJS, a reactor: each script is an evaluation in a new instance. */

import type { Load, SuspendingGuest } from "./guest.ts";
import { Interleaving, runAlone } from "./interleaving.ts";
import type { Body } from "./interleaving.ts";
import type { Observation } from "./observation.ts";
import { randomNumbers } from "./program.ts";
import type { Interleaved, Program } from "./program.ts";
import { Engine, Script } from "./quickjs-engine.ts";

interface ScriptOptions {
  readonly input?: string;
  readonly isModule?: boolean;
  readonly modules?: Readonly<Record<string, string>>;
}

function script(source: string, { input, isModule, modules }: ScriptOptions = {}) {
  return async (load: Load): Promise<Observation> => {
    const engine = new Engine(load);
    Object.assign(engine.modules, modules);
    const context = new Script(engine, input);
    const result = context.evaluate(source, isModule);
    context.free();
    return { exitCode: 0, stdout: context.output + result, stderr: "", memory: engine.memory };
  };
}

const LANGUAGE = `
function* numbers(n) {
  try { for (let i = 0; i < n; i++) print("got " + (yield ask(i + ":"))); } finally { print("closed"); }
}
for (const value of numbers(20)) { print(value); if (value.startsWith("7")) break; }
const g = numbers(5); g.next(); try { g.throw(new Error("thrown in")); } catch (e) { print(e.message); }

print([5, 3, 9, 1, 4, 8].sort((a, b) => (print(a + "?" + b), a - b)).join());
print("one two three".replace(/\\w+/g, (word) => { print(word); return word.toUpperCase(); }));
print("x".repeat(30).replace(/(x+x+)+y?$/, (all) => all.length));
print([1, 2, 3].map((x) => [x].map((y) => ask(y)).join()).join());
print(JSON.stringify({ a: 1, get b() { return ask("getter"); }, toJSON() { print("toJSON"); return { x: ask("json") }; } }));
JSON.parse('{"a":[1,{"b":2}]}', (key, value) => { print(key + "=" + typeof value); return value; });

const proxy = new Proxy({}, {
  get(target, key) { print("get " + String(key)); return ask(String(key)); },
  has(target, key) { print("has " + String(key)); return true; },
  set(target, key, value) { print("set " + String(key)); return true; },
});
print(proxy.one + ("two" in proxy) + (proxy.three = 3));
print(String({ toString() { print("toString"); return "text"; }, valueOf() { print("valueOf"); return 42; } }));
print(+{ valueOf() { print("valueOf"); return 42; } } + 1);

class A { constructor() { print("A"); } static { print("static"); } get x() { return ask("x"); } }
class B extends A { #p = ask("private"); constructor() { super(); print("B " + this.#p); } get x() { return "B" + super.x; } }
print(new B().x);
const { a = ask("default"), ...rest } = { b: 1, c: 2 };
print(a + JSON.stringify(rest));
print([...new Map([[1, 2]]), ...new Set([3]), ...(function* () { yield ask("spread"); })()].join());
label: for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) { if (j == 2) continue label; if (i == 2) break label; print(ask(i + "," + j)); }
print(Reflect.apply(Math.max, null, [1, +ask("5").length]) + "");
print(10n ** 50n + "");
`;

const EXCEPTIONS = `
function deep(n) {
  if (n === 0) { print("bottom"); throw new RangeError(ask("deep ")); }
  try { return deep(n - 1) + 1; } finally { if (n % 25 === 0) print("unwinding " + n); }
}
try { deep(200); } catch (e) { print(e.name + e.message + e.stack.split("\\n").length); }
function finallyWins() { try { throw 1; } catch (e) { print("caught " + e); return ask("catch"); } finally { print("finally"); } }
print(finallyWins());
function overrides() { for (;;) { try { return ask("lost"); } finally { break; } } return "kept"; }
print(overrides());
try { [1].map(() => { throw new TypeError(ask("in callback ")); }); } catch (e) { print(String(e)); }
try { null.x; } catch (e) { print(e.message); }
try { eval("syntax error here"); } catch (e) { print(e.name); }
class Custom extends Error { constructor(m) { super(m); print("constructing"); } get name() { return ask("Custom"); } }
try { throw new Custom("mine"); } catch (e) { print(e instanceof Error ? e.toString() : "?"); }
const iterable = { [Symbol.iterator]() { return { next() { return { value: ask("i"), done: false }; }, return() { print("return"); return {}; } }; } };
try { for (const x of iterable) { print(x); throw "out"; } } catch (e) { print(e); }
print(evaluate("try { print('inner'); evaluate('throw new Error(ask(1))') } catch (e) { print('never') }; 6 * 7"));
undefined.property;
`;

const ASYNC = `
const sleep = (value) => new Promise((resolve) => { print("executor"); resolve(ask(value)); });
async function task(name, n) {
  for (let i = 0; i < n; i++) print(name + await sleep(i));
  if (n === 3) throw new Error(ask("failed "));
  return name;
}
Promise.allSettled([task("a", 2), task("b", 3), task("c", 4)]).then((results) => print(JSON.stringify(results)));
(async () => { for await (const x of (async function* () { yield* [sleep(1), 2]; try { yield 3; } finally { print("end"); } })()) { print("x" + x); if (x === 2) break; } })();
new Proxy({}, { get: () => (resolve) => resolve(ask("thenable")) });
Promise.resolve({ then(resolve) { print("then"); resolve(ask("adopted")); } }).then(print);
`;

const WORK = `
const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));
print(fib(24) + "");
const words = [];
for (let i = 0; i < 20000; i++) { words.push("w" + ((i * 7919) % 20011)); if (i % 50 === 0) ask(i); }
words.sort((a, b) => { if (a.length * 31 % 97 === 0) print(a); return a < b ? -1 : 1; });
print(words.slice(0, 20).join());
const counts = {};
for (const word of words) counts[word.slice(0, 3)] = (counts[word.slice(0, 3)] ?? 0) + 1;
print(JSON.stringify(counts));
print("abc".repeat(20000).replace(/b(c)/g, "[$1]").length + "");
for (let i = 0; i < 2000; i++) print(ask(i).padStart(40, "."));
`;

const DEPTH = `
const nest = (n) => (n === 0 ? evaluate("ask('core')") : [n].map((x) => JSON.parse(JSON.stringify(nest(x - 1)), (k, v) => (ask(n), v)))[0]);
print(nest(40));
let text = "print(ask('0'))";
for (let i = 1; i < 12; i++) text = "evaluate(" + JSON.stringify(text) + "); print(ask('" + i + "'))";
evaluate(text);
`;

const MODULES = {
  one: `import { two } from "two"; print("one " + two); export const one = ask("1"); export { two };`,
  two: `export let two = ask("2"); print("two"); export default class { static x = ask("x"); }`,
};
const INPUT = Array.from({ length: 40 }, (_, index) => `line ${index} ä€😀`).join("\n");

/** Each is run several times, so that the same code is suspended at different places. */
const TOGETHER = [WORK, LANGUAGE, EXCEPTIONS, ASYNC, WORK, DEPTH, LANGUAGE, ASYNC, WORK, DEPTH, EXCEPTIONS];
/** `malloc` calls it, which another stack must not enter in the meantime. */
const GROW_MEMORY = "a.k";
const STACK_BYTES = 1 << 20;

function* body(script_: Script, source: string): Body {
  const result = yield* script_.evaluation(source);
  return script_.output + result;
}

const interleaved: Interleaved = {
  async alone(load) {
    return TOGETHER.map((source) => {
      const engine = new Engine(load);
      return runAlone(body(new Script(engine, INPUT), source), engine.exports);
    });
  },

  async together(load, seed) {
    let guest: SuspendingGuest | undefined;
    const engine = new Engine((imports) => {
      guest = load(imports);
      return guest.asInstance();
    });
    const bodies = TOGETHER.map((source) => body(new Script(engine, INPUT), source));
    const interleaving = new Interleaving(guest!, {
      stackPointer: {
        get: () => engine.call("stackSave"),
        set: (address) => void engine.call("stackRestore", address),
      },
      stackEnds: bodies.map(() => (engine.call("malloc", STACK_BYTES) + STACK_BYTES) & ~15),
      random: randomNumbers(seed),
      isAtomic: (name) => name === GROW_MEMORY,
    });
    const results = interleaving.run(bodies);
    return { results, switches: interleaving.switches };
  },
};

export const program: Program = {
  name: "quickjs",
  wasm: "@jitl/quickjs-wasmfile-release-sync/dist/emscripten-module.wasm",
  interleaved,
  cases: {
    language: script(LANGUAGE, { input: INPUT }),
    exceptions: script(EXCEPTIONS),
    "promises and async generators": script(ASYNC),
    work: script(WORK, { input: INPUT }),
    "nested evaluations": script(DEPTH),
    modules: script(
      `import { one, two } from "one"; import Two from "two"; print(one + two + Two.x); (await import("one")).one;`,
      {
        isModule: true,
        modules: MODULES,
      },
    ),
  },
};
