/** What an observer of calls is told. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { instantiate } from "stackful";
import { WASI } from "stackful/wasi";
import { traceLine } from "#src/cli/trace-line";
import type { Caller } from "#src/link/caller";
import { encodeText } from "#src/wasi/preview1/guest-memory";
import { SIGNATURES } from "#src/wasi/preview1/signature-table";
import { observed } from "#src/wasi/preview1/syscall-event";
import type { SyscallEvent } from "#src/wasi/preview1/syscall-event";

const memory = new WebAssembly.Memory({ initial: 1 });
const view = new DataView(memory.buffer);
const caller: Caller = {
  memory,
  exports: {},
  coroutine: undefined,
  signal: new AbortController().signal,
  canWait: true,
};

const KINDS = [
  "u32", "u64", "s64", "fd", "path", "data", "buffer", "pointer", "subscriptions", "clockid", "advice", "fdflags", "lookupflags",
  "oflags", "fstflags", "rights", "whence", "signal", "riflags", "siflags", "sdflags", "roflags", "fdstat", "filestat", "prestat",
]; // prettier-ignore

/** The event of one call that answers with `answer`. */
async function eventOf(name: string, params: unknown[], answer: () => number | Promise<number>): Promise<SyscallEvent> {
  const events: SyscallEvent[] = [];
  const call = observed(
    name,
    () => answer,
    (event) => events.push(event),
  );
  try {
    await call(caller, ...params);
  } catch {
    // It is the event that counts.
  }
  assert.equal(events.length, 1);
  return events[0]!;
}

function write(address: number, text: string): number {
  const bytes = encodeText(text);
  new Uint8Array(memory.buffer).set(bytes, address);
  return bytes.length;
}

describe("SIGNATURES", () => {
  it("has all 46 calls, and knows every kind", () => {
    assert.equal(Object.keys(SIGNATURES).length, 46);
    for (const { params, results } of Object.values(SIGNATURES)) {
      for (const [name, kind] of [...params, ...results]) assert.ok(name !== "" && KINDS.includes(kind), kind);
    }
  });
});

describe("observed()", () => {
  it("tells paths, flags and what was opened", async () => {
    const length = write(100, "ä.txt");
    view.setUint32(200, 7, true);
    const params = [3, 1, 100, length, 9, -1n, 5n, 16, 200];
    assert.deepEqual(await eventOf("path_open", params, () => 0), {
      name: "path_open",
      args: {
        fd: 3,
        dirflags: "symlink_follow",
        path: "ä.txt",
        oflags: "creat|trunc",
        fs_rights_base: 2n ** 64n - 1n,
        fs_rights_inheriting: 5n,
        fdflags: "sync",
      },
      results: { opened_fd: 7 },
      errno: "ESUCCESS",
      suspendedMs: 0,
    });
  });

  it("tells the error, and no result then", async () => {
    const { errno, results } = await eventOf("path_open", [3, 0, 100, 1, 0, 0n, 0n, 0, 200], () => 44);
    assert.deepEqual([errno, results], ["ENOENT", {}]);
  });

  it("tells of what is too long for a path no more than a path can have", async () => {
    new Uint8Array(memory.buffer).fill("x".charCodeAt(0), 8192, 8192 + 40_000);
    const { args } = await eventOf("path_create_directory", [3, 8192, 40_000], () => 37);
    assert.equal(args["path"], "x".repeat(4096));
    assert.equal((await eventOf("path_create_directory", [3, 8192, 60_000], () => 37)).args["path"], null);
  });

  it("tells sizes of buffers", async () => {
    view.setUint32(304, 10, true);
    view.setUint32(312, 20, true);
    view.setUint32(400, 30, true);
    const { args, results } = await eventOf("fd_write", [1, 300, 2, 400], () => 0);
    assert.deepEqual(args, { fd: 1, iovs: { buffers: 2, bytes: 30 } });
    assert.deepEqual(results, { nwritten: 30 });
  });

  it("tells how long the program was suspended", async () => {
    const later = (): Promise<number> => new Promise((done) => setTimeout(done, 20, 0));
    const { suspendedMs } = await eventOf("sched_yield", [], later);
    assert.ok(suspendedMs >= 15, String(suspendedMs));
  });

  it("reads arguments when the call begins, and results when it ends", async () => {
    const length = write(100, "before");
    view.setUint32(500, 1, true);
    const { args, results } = await eventOf("path_readlink", [3, 100, length, 0, 64, 500], async () => {
      write(100, "after!");
      view.setUint32(500, 64, true);
      return 0;
    });
    assert.deepEqual([args["path"], args["buf"], results], ["before", { buffers: 1, bytes: 64 }, { bufused: 64 }]);
  });

  it("tells what poll_oneoff waits for", async () => {
    const subscriptions = 1024;
    new Uint8Array(memory.buffer).fill(0, subscriptions, subscriptions + 96);
    view.setUint32(subscriptions + 16, 1, true);
    view.setBigUint64(subscriptions + 24, 5_000_000n, true);
    view.setUint16(subscriptions + 40, 1, true);
    view.setUint8(subscriptions + 48 + 8, 1);
    view.setUint32(subscriptions + 48 + 16, 4, true);
    const { args } = await eventOf("poll_oneoff", [subscriptions, 2048, 2, 4096], () => 0);
    assert.deepEqual(args, {
      in: [
        { type: "clock", clock: "monotonic", timeout: 5_000_000n, isAbsolute: true },
        { type: "fd_read", fd: 4 },
      ],
      nsubscriptions: 2,
    });
  });

  it("tells of a call that never returns", async () => {
    const exit = (): never => {
      throw new Error("exit");
    };
    const { args, errno } = await eventOf("proc_exit", [3], exit);
    assert.deepEqual([args, errno], [{ rval: 3 }, undefined]);
    const { errno: rejected } = await eventOf("sched_yield", [], () => Promise.reject(new Error("unwound")));
    assert.equal(rejected, undefined);
  });

  it("tells what the host has failed with, and not what the call itself finds wrong", async () => {
    const program = readFileSync(new URL("../../guests/program.wasm", import.meta.url));
    const mistake = new TypeError("a mistake in the host");
    for (const stdout of [
      () => {
        throw mistake;
      },
      () => Promise.reject(mistake),
    ]) {
      const events: SyscallEvent[] = [];
      const wasi = new WASI({
        args: ["program", "cat"],
        stdin: "x",
        stdout,
        stderr: "ignore",
        onSyscall: (e) => events.push(e),
      });
      assert.equal(await wasi.start(await instantiate(program, wasi.imports())), 1);
      const causes = events.filter((event) => "cause" in event);
      assert.deepEqual(
        causes.map(({ name, errno, cause }) => [name, errno, cause]),
        [["fd_write", "EIO", mistake]],
      );
      assert.match(traceLine(causes[0]!), /^fd_write\(.*\) -> EIO \(TypeError: a mistake in the host\)/);
    }
    const events: SyscallEvent[] = [];
    const own = new WASI({
      args: ["program", "list", "/"],
      stdin: "ignore",
      stderr: "ignore",
      onSyscall: (e) => events.push(e),
    });
    assert.equal(await own.start(await instantiate(program, own.imports())), 1);
    const [refused] = events.filter(({ name }) => name === "fd_prestat_get");
    assert.deepEqual([refused!.errno, "cause" in refused!], ["EBADF", false]);
  });

  it("has nothing to tell where pointers lead nowhere", async () => {
    const { args, errno } = await eventOf("path_open", [3, 0, -5, 100, 0, 0n, 0n, 0, 0], () => 21);
    assert.deepEqual([args["path"], errno], [null, "EFAULT"]);
    const many = await eventOf("fd_write", [1, 65_530, 100, 0], () => 21);
    assert.equal(many.args["iovs"], null);
    const { args: polled } = await eventOf("poll_oneoff", [-48, 0, -1, 0], () => 21);
    assert.equal(polled["in"], null);
  });

  it("names values and bits that it does not know by their numbers", async () => {
    const { args } = await eventOf("fd_fdstat_set_flags", [3, 0xff], () => 28);
    assert.equal(args["flags"], "append|dsync|nonblock|rsync|sync|0xe0");
    const { args: clock } = await eventOf("clock_time_get", [9, 0n, 0], () => 28);
    assert.equal(clock["id"], 9);
  });

  it("changes neither what is answered nor what is thrown", async () => {
    const error = new Error("host");
    const ready = observed(
      "sched_yield",
      () => () => 5,
      () => {},
    );
    assert.equal(ready(caller), 5);
    const failing = observed(
      "sched_yield",
      () => () => Promise.reject(error),
      () => {},
    );
    await assert.rejects(async () => failing(caller), error);
  });
});
