/** Programs for `wasi_unstable`, where some structures lie otherwise in the program's memory. (witx: phases/old/snapshot_0) */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { instantiate } from "stackful";
import { MemoryFileSystem, TextOutput, WASI } from "stackful/wasi";
import type { SyscallEvent, WasiOptions } from "stackful/wasi";
import { assemble } from "../../transform/assemble.ts";
import { ROOT } from "../file-systems.ts";
import { GuestCalls } from "../guest-calls.ts";
import { ManualClock } from "../manual-clock.ts";

const FILE_TYPE = 4;
const [CUR, END, SET] = [0, 1, 2];
const [INPUT, OUTPUT, COUNT] = [4096, 8192, 64];

function makeGuest(options: WasiOptions = {}): GuestCalls {
  const { root } = new MemoryFileSystem({ file: "0123456789" }, { clock: { realtime: () => 0x1122_3344_5566_7788n } });
  const memory = new WebAssembly.Memory({ initial: 1 });
  return new GuestCalls({ preopens: { "/": root }, stdin: "ignore", ...options }, memory, "wasi_unstable");
}

describe("A program for wasi_unstable", () => {
  it("seeks by numbers in another order", async () => {
    const guest = makeGuest();
    const file = await guest.open(ROOT, "file");
    assert.equal(await guest.seek(file, 4n, SET), 4n);
    assert.equal(await guest.seek(file, 2n, CUR), 6n);
    assert.equal(await guest.seek(file, -1n, END), 9n);
    assert.equal(await guest.errno("fd_seek", file, 0n, 3, 64), "EINVAL");
    assert.equal(await guest.errno("fd_seek", file, 0n, -1, 64), "EINVAL");
  });

  it("may ask where it is with the right to tell alone", async () => {
    const guest = makeGuest();
    const file = await guest.open(ROOT, "file", { rights: ["fd_read", "fd_tell"] });
    await guest.read(file, 3);
    assert.equal(await guest.seek(file, 0n, CUR), 3n);
    assert.equal(await guest.errno("fd_seek", file, 0n, SET, 64), "ENOTCAPABLE");
  });

  it("has a number of links of four bytes in what it is told of a file", async () => {
    const guest = makeGuest();
    await guest.link(ROOT, "file", ROOT, "second");
    const file = await guest.open(ROOT, "file");
    const end = guest.memory.buffer.byteLength;
    for (const ask of [
      async (at: number) => guest.call("fd_filestat_get", file, at),
      async (at: number) => guest.call("path_filestat_get", ROOT, 0, ...guest.text("file"), at),
    ]) {
      for (const at of [512, end - 56]) {
        guest.bytes.fill(0xff, at, at + 64);
        await ask(at);
        const { view } = guest;
        assert.equal(view.getUint8(at + 16), FILE_TYPE);
        assert.equal(view.getUint32(at + 20, true), 2);
        assert.equal(view.getBigUint64(at + 24, true), 10n);
        for (const time of [32, 40, 48]) assert.equal(view.getBigUint64(at + time, true), 0x1122_3344_5566_7788n);
        if (at === 512) assert.ok(guest.bytes.slice(at + 56, at + 64).every((byte) => byte === 0xff));
      }
    }
    assert.equal(await guest.errno("fd_filestat_get", file, end - 55), "EFAULT");
  });

  it("waits for clocks that have a number of its own", async () => {
    const clock = new ManualClock();
    const guest = makeGuest({ clock });
    const { view } = guest;
    for (const [index, timeout] of [30_000_000n, 10_000_000n].entries()) {
      const at = INPUT + index * 56;
      view.setBigUint64(at, BigInt(index + 5), true);
      view.setBigUint64(at + 16, 0xdead_beefn, true);
      view.setUint32(at + 24, 1, true);
      view.setBigUint64(at + 32, timeout, true);
    }
    const call = guest.start("poll_oneoff", INPUT, OUTPUT, 2, COUNT);
    clock.pass(10_000_000n);
    assert.equal(await call, 0);
    assert.equal(view.getUint32(COUNT, true), 1);
    assert.equal(view.getBigUint64(OUTPUT, true), 6n);
  });

  it("waits for descriptors", async () => {
    const guest = makeGuest();
    guest.view.setUint8(INPUT + 56 + 8, 1);
    guest.view.setUint8(INPUT + 8, 2);
    guest.view.setUint32(INPUT + 16, 99, true);
    guest.view.setUint32(INPUT + 56 + 16, 0, true);
    await guest.call("poll_oneoff", INPUT, OUTPUT, 2, COUNT);
    assert.equal(guest.view.getUint32(COUNT, true), 2);
    assert.deepEqual([guest.view.getUint8(OUTPUT + 10), guest.view.getUint8(OUTPUT + 32 + 10)], [2, 1]);
  });

  it("is observed as others are", async () => {
    const events: SyscallEvent[] = [];
    const guest = makeGuest({ onSyscall: (event) => void events.push(event) });
    const file = await guest.open(ROOT, "file");
    await guest.seek(file, 0n, END);
    await guest.call("fd_filestat_get", file, 512);
    guest.view.setUint32(INPUT + 24, 1, true);
    guest.view.setBigUint64(INPUT + 32, 7n, true);
    guest.view.setUint16(INPUT + 48, 1, true);
    await guest.call("poll_oneoff", INPUT, OUTPUT, 1, COUNT);
    const [, seek, stat, poll] = events;
    assert.equal(seek!.args["whence"], "end");
    assert.equal(stat!.results["stat"], "regular_file, 10 bytes");
    assert.deepEqual(poll!.args["in"], [{ type: "clock", clock: "monotonic", timeout: 7n, isAbsolute: true }]);
  });
});

describe("WASI", () => {
  it("offers a program both, and refuses versions that it does not know", () => {
    for (const version of ["preview1", "unstable", undefined] as const) {
      const imports = new WASI({ version, stdin: "ignore" }).imports();
      for (const name of ["wasi_snapshot_preview1", "wasi_unstable"] as const) {
        assert.equal(typeof imports[name]["fd_write"], "function");
      }
    }
    assert.throws(() => new WASI({ version: "preview2" as never }), /^TypeError: Cannot make WASI: version must be/);
  });

  it("runs a program that uses both", async () => {
    const bytes = await assemble(`(module
      (import "wasi_unstable" "fd_write" (func $old (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $new (param i32 i32 i32 i32) (result i32)))
      (import "wasi_unstable" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (data (i32.const 16) "\\20\\00\\00\\00\\04\\00\\00\\00\\24\\00\\00\\00\\04\\00\\00\\00old new ")
      (func (export "_start")
        (drop (call $old (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 0)))
        (drop (call $new (i32.const 1) (i32.const 24) (i32.const 1) (i32.const 0)))
        (call $exit (i32.const 7))))`);
    const stdout = new TextOutput();
    const wasi = new WASI({ stdin: "ignore", stdout });
    assert.equal(await wasi.start(await instantiate(bytes, wasi.imports())), 7);
    assert.equal(stdout.text, "old new ");
  });
});
