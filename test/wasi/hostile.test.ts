/** Programs and hosts that mean harm, or do not know what they are doing: every call answers with an error number. */

import assert from "node:assert/strict";
import { lstatSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { instantiate } from "stackful";
import { MemoryFileSystem, SymbolicLink, WASI } from "stackful/wasi";
import type { Clock, Directory, WasiOptions } from "stackful/wasi";
import { SIGNATURES } from "#src/wasi/preview1/signature-table";
import { FILE_RIGHTS } from "#src/wasi/preview1/rights";
import { ERRNO } from "#src/wasi/preview1/errno";
import { assemble } from "../transform/assemble.ts";
import { temporaryDirectory } from "./file-systems.ts";
import { GuestCalls } from "./guest-calls.ts";
import { HostileProgram } from "./hostile-program.ts";
import { onBackends } from "./programs.ts";

/** Calls that may fail always: those of sockets, which these programs do not have, and a few that need luck. */
const MOST_FAILING = 12;
/** Programs that go wild one after the other: they close what they have, and lose their rights. */
const LIVES = 40;
const CALLS = 100;
const decoder = new TextDecoder();
const SECRET = "this text is a secret of the host";

/** Nobody waits: time passes when somebody waits for it, by leaps that double, until the end of time. */
function hurryingClock(): Clock {
  let now = 1_000_000_000n;
  let leap = 1n;
  return {
    realtime: () => (now += 1000n),
    monotonic: () => (now += 1000n),
    wakeAfter(nanoseconds, wake) {
      let isOver = false;
      queueMicrotask(() => {
        if (isOver) return;
        leap *= 2n;
        now += nanoseconds + leap;
        wake();
      });
      return () => (isOver = true);
    },
  };
}

function makeGuest(options: WasiOptions): GuestCalls {
  const streams = { stdin: "some input\n".repeat(1000), stdout: "ignore", stderr: "ignore" } as const;
  const memory = new WebAssembly.Memory({ initial: 1 });
  return new GuestCalls({ args: ["hostile"], env: { A: "1" }, clock: hurryingClock(), ...streams, ...options }, memory);
}

/** What all of them were answered, and what they had in their memories in the end. */
interface Rage {
  readonly answers: ReadonlyMap<string, ReadonlySet<number>>;
  readonly memories: string;
}

async function rage(options: WasiOptions, seed: number): Promise<Rage> {
  const answers = new Map<string, Set<number>>();
  let memories = "";
  for (let life = 0; life < LIVES; life++) {
    const guest = makeGuest(options);
    // Most calls need a file: it is what the first of them finds.
    await guest.start("path_open", 3, 0, ...guest.text("file"), 0, FILE_RIGHTS, 0n, 0, 64);
    const program = new HostileProgram(guest, seed * 1000 + life);
    for (let count = 0; count < CALLS; count++) await program.call();
    await guest.wasi.close();
    memories += decoder.decode(guest.bytes);
    for (const [name, found] of program.answers) answers.set(name, new Set([...(answers.get(name) ?? []), ...found]));
  }
  return { answers, memories };
}

/** Everything below a folder, as text. */
function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .toSorted()
    .map((name) => {
      const file = path.join(folder, name);
      const { mode, size, mtimeMs, nlink } = lstatSync(file);
      const content = lstatSync(file).isFile() ? readFileSync(file, "utf8") : "";
      return `${name} ${mode} ${size} ${mtimeMs} ${nlink} ${content}`;
    });
}

/** A directory that a program is given, beside one that it is not. */
function makeFolders(): { readonly inside: string; readonly outside: string; remove(): void } {
  const { path: root, remove } = temporaryDirectory();
  const [inside, outside] = [path.join(root, "inside"), path.join(root, "outside")];
  mkdirSync(path.join(inside, "folder"), { recursive: true });
  mkdirSync(outside);
  writeFileSync(path.join(outside, "secret"), SECRET);
  writeFileSync(path.join(inside, "file"), "content");
  symlinkSync("..", path.join(inside, "up"));
  symlinkSync("../outside", path.join(inside, "out"));
  symlinkSync("../outside/secret", path.join(inside, "secret"));
  symlinkSync(outside, path.join(inside, "absolute"));
  symlinkSync("loop", path.join(inside, "loop"));
  return { inside, outside, remove };
}

describe("A hostile program", () => {
  for (const seed of [1, 2, 3]) {
    it(`gets error numbers, and nowhere else, on the file system of the computer (seed ${seed})`, async () => {
      const { inside, outside, remove } = makeFolders();
      try {
        const before = listing(outside);
        const { answers, memories } = await rage({ preopens: { "/": inside, "/again": inside } }, seed);
        assert.deepEqual(listing(outside), before);
        assert.deepEqual(readdirSync(path.dirname(inside)).toSorted(), ["inside", "outside"]);
        assert.ok(!memories.includes(SECRET));
        assertWide(answers);
      } finally {
        remove();
      }
    });

    it(`gets error numbers, and no more room than there is, on a file system in memory (seed ${seed})`, async () => {
      const maxBytes = 100_000;
      const tree = { file: "content", folder: {}, up: new SymbolicLink(".."), loop: new SymbolicLink("loop") };
      const files = new MemoryFileSystem(tree, { maxBytes });
      const { answers } = await rage({ preopens: { "/": files.root } }, seed);
      assert.ok(files.usedBytes <= maxBytes);
      assertWide(answers);
    });

    it(`changes nothing in what it may only read (seed ${seed})`, async () => {
      const { inside, remove } = makeFolders();
      try {
        const before = listing(inside);
        await rage({ preopens: { "/": { directory: inside, readOnly: true } } }, seed);
        assert.deepEqual(listing(inside), before);
      } finally {
        remove();
      }
    });
  }
});

/** Calls that only fail, or fail in one way only, say that the test does not reach what it is to test. */
function assertWide(answers: Rage["answers"]): void {
  const called = Object.keys(SIGNATURES).filter((name) => !name.startsWith("proc_"));
  assert.deepEqual([...answers.keys()].toSorted(), called.toSorted());
  const failing = called.filter((name) => answers.get(name)?.has(ERRNO.ESUCCESS) !== true);
  assert.ok(failing.length <= MOST_FAILING, `these never succeeded: ${failing.join()}`);
  const errors = new Set([...answers.values()].flatMap((found) => [...found]));
  assert.ok(errors.size >= 12, `only the answers ${[...errors].join()}`);
}

/** What no host should throw. */
const ODDITIES: Readonly<Record<string, unknown>> = {
  nothing: undefined,
  null: null,
  text: "ENOENT",
  number: 44,
  "an object": {},
  "an error without a code": new Error("something"),
  "a code that nobody knows": { code: "EWHATEVER" },
  "a code that says that all is well": { code: "ESUCCESS" },
  "a code that every object has": { code: "constructor" },
  "another of these": { code: "__proto__" },
  "a code that is no text": { code: 2 },
  "a code that throws": {
    get code(): string {
      throw new Error("no code");
    },
  },
};

/** A directory in which everything goes wrong in the same way. */
function brokenDirectory(fail: () => Promise<never>): Directory {
  const target: Record<string, unknown> = { kind: "directory", close: () => {} };
  return new Proxy(target, { get: (known, name: string) => known[name] ?? fail }) as unknown as Directory;
}

const EXPECTED = new Set(["EIO", "ENOTCAPABLE", "EINVAL"]);

async function askBroken(fail: () => Promise<never>, title: string): Promise<void> {
  const output = { write: fail };
  const guest = makeGuest({
    preopens: { "/": brokenDirectory(fail) },
    stdin: { read: fail },
    stdout: output,
    stderr: output,
  });
  const [name, length] = guest.text("name");
  const [vectors, count] = guest.vectors([2000, 4]);
  const calls: [string, ...(number | bigint)[]][] = [
    ["fd_read", 0, vectors, count, 64],
    ["fd_write", 1, vectors, count, 64],
    ["fd_filestat_get", 3, 64],
    ["fd_readdir", 3, 2000, 1000, 0n, 64],
    ["fd_sync", 3],
    ["path_open", 3, 0, name, length, 0, 2n, 2n, 0, 64],
    ["path_filestat_get", 3, 0, name, length, 64],
    ["path_create_directory", 3, name, length],
    ["path_readlink", 3, name, length, 2000, 100, 64],
    ["path_unlink_file", 3, name, length],
    ["path_rename", 3, name, length, 3, name, length],
  ];
  for (const [call, ...params] of calls) {
    const errno = await guest.errno(call, ...params);
    assert.ok(EXPECTED.has(errno), `${call}: ${errno}, when the host throws ${title}`);
  }
}

describe("A host", () => {
  for (const [title, thrown] of Object.entries(ODDITIES)) {
    it(`that throws ${title} gives an error number to the program, not an exception`, async () => {
      await askBroken(() => {
        throw thrown;
      }, title);
    });

    it(`that rejects with ${title} gives an error number to the program, not an exception`, async () => {
      await askBroken(() => Promise.reject(thrown), title);
    });
  }

  it("whose pipe is closed gives EPIPE", async () => {
    const closed = {
      write(): never {
        throw Object.assign(new Error("write EPIPE"), { code: "EPIPE" });
      },
    };
    const guest = makeGuest({ stdout: closed });
    assert.equal(await guest.errno("fd_write", 1, ...guest.vectors([2000, 4]), 64), "EPIPE");
  });

  it("whose disk is full gives ENOSPC, and has room again afterwards", async () => {
    const files = new MemoryFileSystem({}, { maxBytes: 1000 });
    const guest = makeGuest({ preopens: { "/": files.root } });
    const file = await guest.open(3, "file", { create: true });
    await guest.write(file, "x".repeat(900));
    for (const [name, ...params] of [
      ["fd_filestat_set_size", file, 1001n],
      ["fd_allocate", file, 0n, 2000n],
      ["fd_pwrite", file, ...guest.vectors([2000, 4]), 1000n, 64],
    ] as const) {
      assert.equal(await guest.errno(name, ...params), "ENOSPC", name);
    }
    await guest.call("fd_filestat_set_size", file, 0n);
    assert.equal(await guest.writeAt(file, "y".repeat(1000), 0n), 1000);
    assert.equal(files.text("file"), "y".repeat(1000));
  });
});

describe("A memory of 4 GiB", () => {
  it("ends where pointers end", async () => {
    const END = 2 ** 32;
    const memory = new WebAssembly.Memory({ initial: 65_536 });
    const files = new MemoryFileSystem({ file: "content" });
    const args = ["hostile", "program"];
    const guest = new GuestCalls({ args, preopens: { "/": files.root }, stdout: "ignore" }, memory);
    const file = await guest.open(3, "file");
    await guest.call("fd_tell", file, END - 8);
    await guest.call("random_get", END - 16, 16);
    guest.view.setUint32(END - 16, END - 4, true);
    guest.view.setUint32(END - 12, 4, true);
    await guest.call("fd_read", file, END - 16, 1, END - 8);
    assert.equal(decoder.decode(new Uint8Array(memory.buffer, END - 4)), "cont");
    guest.view.setUint32(END - 12, 5, true);
    for (const [name, ...params] of [
      ["fd_tell", file, END - 7],
      ["random_get", END - 16, 17],
      ["random_get", 16, END - 15],
      ["fd_read", file, END - 16, 1, END - 8],
      ["fd_read", file, END - 16, 3, 64],
      ["fd_read", file, END - 16, 0x2000_0001, 64],
      ["fd_write", 1, END - 8, 2, 64],
      ["args_get", END - 2, 64],
      ["args_get", END - 4, 64],
      ["args_get", 64, END - 8],
      ["poll_oneoff", END - 47, 64, 1, 64],
      ["poll_oneoff", 64, END - 31, 1, 64],
      ["fd_readdir", 3, END - 8, 9, 0n, 64],
      ["path_filestat_get", 3, 0, END - 4, 5, 64],
    ] as const) {
      const errno = await guest.errno(name, ...params);
      assert.ok(errno === "EFAULT" || errno === "EINVAL", `${name}(${params.join(", ")}): ${errno}`);
    }
    assert.deepEqual(guest.bytes.slice(0, 16), new Uint8Array(16));
  });
});

describe("A program without a memory", () => {
  onBackends("has pointers that lead nowhere, and can exit all the same", async (backend) => {
    const bytes = await assemble(`(module
      (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $stat (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (func (export "_start")
        (if (call $yield) (then unreachable))
        (call $exit (call $stat (i32.const 1) (i32.const 0)))
        unreachable))`);
    const wasi = new WASI({ stdin: "ignore" });
    assert.equal(await wasi.start(await instantiate(bytes, wasi.imports(), { backend })), ERRNO.EFAULT);
  });
});
