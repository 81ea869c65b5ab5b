/** What closes what a program has open, also when it was never started or nobody takes what it has written. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { Writable } from "node:stream";
import { describe, it } from "node:test";
import { WASI } from "stackful/wasi";
import { temporaryDirectory } from "./file-systems.ts";

/** Takes nothing, and never says so. */
class Stuck extends Writable {
  override _write(): void {}
}

async function writtenTo(stdout: Writable): Promise<WASI> {
  const wasi = new WASI({ stdout });
  stdout.write("never taken");
  await Promise.resolve();
  return wasi;
}

describe("WASI.close()", () => {
  it("waits no longer than its signal for a stream that takes nothing", async () => {
    const stdout = new Stuck();
    const wasi = await writtenTo(stdout);
    const controller = new AbortController();
    let isOver = false;
    const closed = wasi.close({ signal: controller.signal }).finally(() => (isOver = true));
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(isOver, false);
    controller.abort(new RangeError("enough"));
    await assert.rejects(closed, { name: "RangeError", message: "enough" });
    assert.equal(stdout.destroyed, false);
    stdout.destroy();
  });

  it("waits not at all when its signal has aborted, and closes nonetheless", async () => {
    const stdout = new Stuck();
    const wasi = await writtenTo(stdout);
    await assert.rejects(wasi.close({ signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.equal(stdout.writableEnded, true);
    await wasi.close();
    stdout.destroy();
  });

  it("closes directories of a program that was never started", { skip: process.platform !== "linux" }, async () => {
    const folder = temporaryDirectory();
    const countOpen = (): number => readdirSync("/proc/self/fd").length;
    const before = countOpen();
    {
      await using wasi = new WASI({ preopens: { "/a": folder.path, "/b": folder.path } });
      assert.ok(countOpen() > before);
      assert.ok(wasi instanceof WASI);
    }
    assert.equal(countOpen(), before);
    folder.remove();
  });
});
