/** Plug-ins of strangers: each has an engine of its own, with a limit to its time and its memory. */
import { setTimeout as sleep } from "node:timers/promises";
import { ScriptEngine } from "stackful/script";
import { quickjs } from "stackful/script/quickjs";

const plugins = {
  good: `function handle(text) { return upper(text) + "!"; }`,
  loops: `function handle(text) { for (;;) { try { upper(text); for (;;); } catch {} } }`,
  waits: `function handle(text) { return never(); }`,
  hoards: `function handle(text) { const kept = []; for (;;) kept.push(text.repeat(1000)); }`,
  fails: `function handle(text) { return text.missing.field; }`,
};

async function run(name: string, source: string): Promise<string> {
  await using engine = await ScriptEngine.create(quickjs(), { timeoutMs: 1000, maxMemoryBytes: 4 << 20 });
  engine.register("upper", async (text: string) => {
    await sleep(1);
    return text.toUpperCase();
  });
  engine.register("never", () => new Promise(() => {}));
  try {
    await engine.eval(source, { fileName: `${name}.js` });
    return String(await engine.call("handle", "hello"));
  } catch (error) {
    return String(error);
  }
}

const results = await Promise.all(
  Object.entries(plugins).map(async ([name, source]) => [name, await run(name, source)]),
);
for (const [name, result] of results) console.log(`${name}: ${result}`);

// Output:
// good: HELLO!
// loops: TimeoutError: Script was not done within 1000 ms
// waits: TimeoutError: Script was not done within 1000 ms
// hoards: ScriptError: out of memory
// fails: ScriptError: cannot read property 'field' of undefined
