/** The option `maxOutputBytes`. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { instantiate } from "stackful";
import { WASI } from "stackful/wasi";
import type { OutputStream, WasiOptions } from "stackful/wasi";
import { OutputBudget, limitOutput } from "#src/wasi/host/limited-output";

const program = await readFile(new URL("../guests/program.wasm", import.meta.url));

async function run(args: readonly string[], options: WasiOptions): Promise<number> {
  const wasi = new WASI({ args: ["program", ...args], ...options });
  return wasi.start(await instantiate(program, wasi.imports()));
}

const length = (chunks: readonly Uint8Array[]): number => chunks.reduce((sum, chunk) => sum + chunk.length, 0);

describe("maxOutputBytes", () => {
  it("is what a program may write to both streams together", async () => {
    const [stdout, stderr]: Uint8Array[][] = [[], []];
    const input = new Uint8Array(5 * 4096);
    const code = await run(["cat"], { stdin: input, stdout: stdout!, stderr: stderr!, maxOutputBytes: 3 * 4096 + 100 });
    assert.equal(length(stdout!), 3 * 4096);
    // "write: File too large", of which there is room for all.
    assert.equal(Buffer.concat(stderr!).toString(), "write: File too large\n");
    assert.equal(code, 1);
  });

  it("does not disturb a program that stays below it", async () => {
    const stdout: Uint8Array[] = [];
    assert.equal(await run(["cat"], { stdin: new Uint8Array(1000), stdout, maxOutputBytes: 1000 }), 0);
    assert.equal(length(stdout), 1000);
  });

  it("may be nothing, and has to be a number", async () => {
    const stdout: Uint8Array[] = [];
    await run(["args"], { stdout, maxOutputBytes: 0 });
    assert.equal(length(stdout), 0);
    for (const wrong of [-1, Number.NaN]) {
      assert.throws(
        () => new WASI({ maxOutputBytes: wrong }),
        /^RangeError: Cannot limit output: maxOutputBytes must be/,
      );
    }
  });
});

describe("limitOutput()", () => {
  it("keeps what the stream can do, and counts what it takes at once", () => {
    const taken: Uint8Array[] = [];
    const stream: OutputStream = {
      kind: "terminal",
      write: (bytes) => void taken.push(bytes),
      // Half of it.
      writeNow: ([first]) => {
        taken.push(first!.slice(0, 5));
        return 5;
      },
    };
    const limited = limitOutput(stream, new OutputBudget(12));
    assert.equal(limited.kind, "terminal");
    assert.equal(limited.writeNow!([new Uint8Array(10)]), 5);
    void limited.write(new Uint8Array(5));
    assert.equal(limited.writeNow!([new Uint8Array(3)]), 0);
    assert.throws(() => limited.write(new Uint8Array(3)), { code: "EFBIG" });
    assert.equal(limited.writeNow!([new Uint8Array(2)]), 5);
    assert.equal("writeNow" in limitOutput({ write: () => {} }, new OutputBudget(1)), false);
  });
});
