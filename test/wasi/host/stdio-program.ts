/** Runs a guest on the standard streams of this process, for node-stdio.test.ts: its name, a limit in milliseconds or 0, its arguments. */
import { readFileSync } from "node:fs";
import { instantiate } from "stackful";
import { WASI } from "stackful/wasi";

const [name = "", limit = "0", ...args] = process.argv.slice(2);
const guest = readFileSync(new URL(`../../guests/${name}.wasm`, import.meta.url));
const wasi = new WASI({ args: [name, ...args] });
const instance = await instantiate(guest, wasi.imports());
let ticks = 0;
const ticking = setInterval(() => ticks++, 10);
try {
  process.exitCode = await wasi.start(instance, limit === "0" ? {} : { timeoutMs: Number(limit) });
} catch (error) {
  process.exitCode = 99;
  console.error((error as Error).name);
}
clearInterval(ticking);
console.error(`${ticks} ticks`);
