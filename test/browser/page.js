/** What differs between engines, in a page: suspending, keeping stacks apart, traps, unwinding. See scripts/browsers.mjs. */

import { Trap, backends, instantiate as instantiateAny, suspend } from "../../dist/index.js";
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

const results = [];
for (const { name: under, available, reason } of backends()) {
  backend = under;
  if (!available) {
    results.push({ name: `${backend}: all`, skipped: reason });
    continue;
  }
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      results.push({ name: `${backend}: ${name}` });
    } catch (error) {
      results.push({ name: `${backend}: ${name}`, error: String(error) });
    }
  }
}
await fetch("/report", { method: "POST", body: JSON.stringify({ agent: navigator.userAgent, results }) });
