/** A plug-in in C, written in blocking style, gets what it needs from the network; the host can give up on it. */
import { setTimeout as sleep } from "node:timers/promises";
import { instantiate, wrapAsyncWithCaller } from "stackful";

/** Stands for the network: what is in Oslo takes too long for anybody. */
async function download(path: string, signal: AbortSignal): Promise<string> {
  await sleep(path.endsWith("/Oslo") ? 60_000 : 5, undefined, { signal });
  return path.startsWith("/greeting/") ? `Good morning, ${path.slice("/greeting/".length)}!` : "Sunny, 21 degrees.";
}

type Parameters = [url: number, urlLength: number, out: number, room: number];
const fetch = wrapAsyncWithCaller(async ({ memory, signal }, ...[url, length, out, room]: Parameters) => {
  const text = await download(new TextDecoder().decode(new Uint8Array(memory.buffer, url, length)), signal);
  return new TextEncoder().encodeInto(text, new Uint8Array(memory.buffer, out, room)).written;
});
interface Exports {
  _initialize(): void;
  malloc(bytes: number): number;
  report(name: number): number;
}
const guest = new URL("../test/guests/plugin.wasm", import.meta.url);
const { instance, sync } = await instantiate<Exports>(guest, { host: { fetch } });
sync._initialize();
const bytes = (from = 0): Uint8Array => new Uint8Array(instance.memory!.buffer, from);

async function report(name: string, options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<string> {
  const argument = sync.malloc(name.length + 1);
  new TextEncoder().encodeInto(`${name}\0`, bytes(argument));
  const text = await instance.function<[number], number>("report").call([argument], options);
  return new TextDecoder().decode(bytes(text).subarray(0, bytes(text).indexOf(0)));
}
const describe = (error: Error): string => `gave up: ${error.name}`;

console.log(await Promise.all([report("Ada"), report("Grace")]));
console.log(await report("Oslo", { timeoutMs: 20 }).catch(describe));
const controller = new AbortController();
setTimeout(() => controller.abort(), 20);
console.log(await report("Oslo", { signal: controller.signal }).catch(describe));
console.log(await report("Linus"));

// Output:
// [
//   'Good morning, Ada! Sunny, 21 degrees.',
//   'Good morning, Grace! Sunny, 21 degrees.'
// ]
// gave up: TimeoutError
// gave up: AbortError
// Good morning, Linus! Sunny, 21 degrees.
