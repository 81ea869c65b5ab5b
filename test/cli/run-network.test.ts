/** Programs that `stackful run` lets listen and connect. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { describe, it } from "node:test";
import { expectError, expectOutput, guest, scratchFolder, stackful, start } from "./run-cli.ts";

const PROGRAM = guest("program");
const folder = scratchFolder();
process.env["STACKFUL_CACHE_DIR"] = path.join(folder, "cache");

describe("stackful run in a network", () => {
  /** A program that listens, and where. */
  async function serve(...args: readonly string[]): Promise<{ child: ChildProcess; port: string }> {
    const child = start("run", "--listen", "127.0.0.1:0", ...args);
    child.stdin!.end();
    child.stdout!.resume();
    const [chunk] = (await once(child.stderr!, "data")) as [Buffer];
    const [, port] = /^listening on 127\.0\.0\.1:(\d+)\n/.exec(chunk.toString()) ?? [];
    assert.ok(port !== undefined, chunk.toString());
    return { child, port };
  }

  it("gives a program a listening socket behind its directories, and lets another one connect", async () => {
    const { child, port } = await serve("--dir", `${folder}::/data`, PROGRAM, "serve", "4", "2");
    const ended = once(child, "close");
    for (const text of ["hello", "again"]) {
      const address = `/dev/tcp/127.0.0.1/${port}`;
      await expectOutput(["--allow-net", `127.0.0.1:${port}`, PROGRAM, "call", address, text], text);
    }
    assert.deepEqual(await ended, [0, null]);
  });

  it("lets copies share a listening socket", async () => {
    const { child, port } = await serve("--copies", "2", PROGRAM, "serve", "3", "1");
    const ended = once(child, "close");
    const address = `/dev/tcp/127.0.0.1/${port}`;
    const call = ["--allow-net", "*:*", "--copies", "2", PROGRAM, "call", address, "x"];
    const { stdout, code } = await stackful("run", ...call);
    assert.deepEqual([stdout.toString(), code], ["xx", 0]);
    assert.deepEqual(await ended, [0, null]);
  });

  it("lets nobody connect who may not", async () => {
    const { child, port } = await serve(PROGRAM, "serve", "3", "1");
    const ended = once(child, "close");
    const address = `/dev/tcp/127.0.0.1/${port}`;
    for (const grant of [[], ["--allow-net", "127.0.0.1:1"], ["--allow-net", `example.com:${port}`]]) {
      const { stdout, stderr, code } = await stackful("run", ...grant, PROGRAM, "call", address, "x");
      assert.deepEqual([stdout.length, code], [0, 1]);
      assert.match(stderr, /^\/dev\/tcp\/127\.0\.0\.1\/\d+: /);
    }
    child.kill("SIGTERM");
    assert.deepEqual(await ended, process.platform === "win32" ? [null, "SIGTERM"] : [143, null]);
  });

  it("says where it cannot listen", async () => {
    const { child, port } = await serve(PROGRAM, "serve", "3", "1");
    await expectError(
      ["--listen", `127.0.0.1:${port}`, PROGRAM, "args"],
      `error: cannot listen on 127.0.0.1:${port}: address already in use\n`,
    );
    child.kill();
  });
});
