/** What `npm start` shows, but for its largest program. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";

const isSource = import.meta.url.endsWith(".ts");

function show(scene: number): string {
  const flags = isSource ? ["--conditions=source"] : [];
  return execFileSync(process.execPath, [...flags, "demo/main.mjs", String(scene)], { encoding: "utf8" });
}

describe("The demo", () => {
  it("lets a C program wait for its input, the time, a file and a server in C", () => {
    const output = show(1);
    assert.match(output, /^visit: what is your name\?\nvisit: good morning, Ada; I sleep for 300 ms\n/m);
    assert.match(output, /^visit: \/demo\/visit\.c has \d+ lines; I ask the server\n/m);
    assert.match(output, /^visit: it says: hello Ada, you are client 1\n/m);
    assert.match(output, /^server: 1 client served\n/m);
    const [, ticks] = /has fired (\d+) times/.exec(output) ?? [];
    // 500 ms are waited at least, in which it could fire 50 times.
    assert.ok(Number(ticks) >= 10, output);
  });

  it("lets 1,000 copies of a program sleep at once", () => {
    const [, seconds] = /^→ All of them have ended after ([\d.]+) s/m.exec(show(3)) ?? [];
    assert.ok(Number(seconds) >= 1 && Number(seconds) < 100, seconds ?? "they have not ended");
  });
});
