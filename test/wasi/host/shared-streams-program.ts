/** Runs one program after the other on the streams that the process itself has, for node-stdio.test.ts, and uses them after that. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { compile, instantiate } from "stackful";
import { WASI } from "stackful/wasi";

const guest = await compile(readFileSync(new URL("../../guests/program.wasm", import.meta.url)));
const { stdin, stdout, stderr } = process;
const all = { stdin, stdout, stderr };
for (const [args, streams] of [
  [["args", "one"], all],
  [["complain", "two"], { stdin: "ignore", stdout, stderr: stdout }],
  [["args", "three"], all],
] as const) {
  const wasi = new WASI({ args: ["program", ...args], ...streams });
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  await wasi.start(await instantiate(guest, wasi.imports()));
}
stdin.resume();
const [rest] = (await once(stdin, "data")) as [Buffer];
stdout.write(`the process: ${rest.toString()}`);
