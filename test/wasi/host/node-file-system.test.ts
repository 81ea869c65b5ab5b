/** The computer's files: what somebody else does to them meanwhile, and what must not be left behind. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs, {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { openNodeDirectory } from "stackful/wasi";
import { ROOT, temporaryDirectory } from "../file-systems.ts";
import { CallError, GuestCalls, READ_WRITE, fails } from "../guest-calls.ts";

const onLinux = { skip: process.platform === "linux" ? false : "directories cannot be held here" };

/** Directories `inside` and `outside` beside each other, and a program that is given the first. */
function sandbox(isHeld = true): { guest: GuestCalls; inside: string; outside: string; end(): Promise<void> } {
  const folder = temporaryDirectory();
  const [inside, outside] = ["inside", "outside"].map((name) => path.join(folder.path, name)) as [string, string];
  mkdirSync(inside);
  mkdirSync(outside);
  writeFileSync(path.join(outside, "secret"), "secret");
  const root = openNodeDirectory(inside, { isHeld });
  const guest = new GuestCalls({ preopens: { "/": root } });
  const end = async (): Promise<void> => {
    await guest.wasi.close();
    await root.close();
    folder.remove();
  };
  return { guest, inside, outside, end };
}

/** Runs `body` again and again in a thread of its own, for as long as `use` takes. */
async function meanwhile(body: string, folders: object, use: () => Promise<void>): Promise<number> {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const source = `
    const fs = require("node:fs");
    const { shared, inside, outside } = require("node:worker_threads").workerData;
    while (Atomics.load(shared, 0) === 0) { ${body}; Atomics.add(shared, 1, 1); }`;
  const worker = new Worker(source, { eval: true, workerData: { shared, ...folders } });
  try {
    while (Atomics.load(shared, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await use();
  } finally {
    Atomics.store(shared, 0, 1);
    await new Promise((resolve) => worker.once("exit", resolve));
  }
  return shared[1]!;
}

/** What a call answers: its result, or the name of its error. */
async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    return String(await call);
  } catch (error) {
    if (error instanceof CallError) return error.code;
    throw error;
  }
}

const TRIES = 3000;
const SWAP_DIRECTORY = `
  fs.renameSync(inside + "/a", inside + "/kept");
  fs.symlinkSync("../outside", inside + "/a");
  fs.unlinkSync(inside + "/a");
  fs.symlinkSync(outside, inside + "/a");
  fs.unlinkSync(inside + "/a");
  fs.renameSync(inside + "/kept", inside + "/a")`;
const SWAP_FILE = `
  fs.symlinkSync("../outside/secret", inside + "/new-link");
  fs.renameSync(inside + "/new-link", inside + "/file");
  fs.writeFileSync(inside + "/new-file", "own");
  fs.renameSync(inside + "/new-file", inside + "/file")`;

describe("A name that is swapped for a symbolic link during a call", onLinux, () => {
  it("on the way does not lead out", async () => {
    const { guest, inside, outside, end } = sandbox();
    mkdirSync(path.join(inside, "a"));
    writeFileSync(path.join(inside, "a/secret"), "own");
    const seen = new Map<string, number>();
    const swaps = await meanwhile(SWAP_DIRECTORY, { inside, outside }, async () => {
      for (let round = 0; round < TRIES; round++) {
        const result = await outcome(guest.content(ROOT, "a/secret"));
        seen.set(result, (seen.get(result) ?? 0) + 1);
        await outcome(guest.create(ROOT, `a/new-${round}`));
        await outcome(guest.unlink(ROOT, "a/secret.txt"));
        await outcome(guest.makeDirectory(ROOT, "a/folder"));
        await outcome(guest.symlink("x", ROOT, "a/link"));
        await outcome(guest.rename(ROOT, `a/new-${round}`, ROOT, "a/moved"));
      }
    });
    assert.ok(swaps > 10);
    assert.ok(seen.get("own")! > 0, JSON.stringify([...seen]));
    for (const result of seen.keys()) {
      assert.ok(["own", "ENOENT", "ENOTCAPABLE", "ELOOP", "ENOTDIR"].includes(result), result);
    }
    assert.deepEqual(readdirSync(outside), ["secret"]);
    await end();
  });

  it("at the end does not lead out", async () => {
    const { guest, inside, outside, end } = sandbox();
    writeFileSync(path.join(inside, "file"), "own");
    const seen = new Map<string, number>();
    await meanwhile(SWAP_FILE, { inside, outside }, async () => {
      for (let round = 0; round < TRIES; round++) {
        const file = await outcome(guest.open(ROOT, "file", { follow: round % 2 === 0, rights: READ_WRITE }));
        if (/^\d+$/.test(file)) {
          seen.set(await guest.read(Number(file), 100), 1);
          await guest.writeAt(Number(file), "own", 0n);
          await guest.close(Number(file));
        } else {
          seen.set(file, 1);
        }
        const emptied = await outcome(
          guest.open(ROOT, "file", { follow: true, truncate: true, create: true, rights: 0n }),
        );
        if (/^\d+$/.test(emptied)) await guest.close(Number(emptied));
        await outcome(guest.setPathTimes(ROOT, "file", { modified: 1n, flags: 4, follow: true }));
      }
    });
    for (const result of seen.keys()) {
      assert.ok(["own", "", "ENOENT", "ENOTCAPABLE", "ELOOP"].includes(result), result);
    }
    assert.equal(readFileSync(path.join(outside, "secret"), "utf8"), "secret");
    await end();
  });

  it("where the directory itself was, changes nothing for who has it open", async () => {
    const { guest, inside, outside, end } = sandbox();
    mkdirSync(path.join(inside, "a"));
    const opened = await guest.openDirectory(ROOT, "a");
    renameSync(path.join(inside, "a"), path.join(inside, "b"));
    symlinkSync(outside, path.join(inside, "a"));
    await guest.create(opened, "file", "abc");
    await fails("ENOENT", guest.open(opened, "secret"));
    await fails("ENOTCAPABLE", guest.open(opened, "../a/secret"));
    assert.deepEqual(readdirSync(outside), ["secret"]);
    assert.deepEqual(readdirSync(path.join(inside, "b")), ["file"]);
    // Also where the directory that it began with has moved.
    renameSync(inside, `${inside}-moved`);
    symlinkSync(outside, inside);
    await guest.create(ROOT, "there", "abc");
    assert.deepEqual(readdirSync(outside), ["secret"]);
    assert.ok(existsSync(`${inside}-moved/there`));
    await end();
  });
});

describe("A file that is closed while it is written to the disk", () => {
  it("keeps its number until that is done", async (test) => {
    const { guest, inside, end } = sandbox(process.platform === "linux");
    let synced = -1;
    let finish = (): void => {};
    test.mock.method(fs, "fsync", (fd: number, done: (error: null) => void) => {
      synced = fd;
      finish = () => done(null);
    });
    const file = await guest.open(ROOT, "file", { create: true });
    const syncing = guest.call("fd_sync", file);
    const closing = guest.call("fd_close", file);
    assert.equal(fs.fstatSync(synced).ino, fs.statSync(path.join(inside, "file")).ino);
    assert.equal(await guest.errno("fd_tell", file, 64), "EBADF");
    finish();
    await Promise.all([syncing, closing]);
    assert.throws(() => fs.fstatSync(synced), { code: "EBADF" });
    await end();
  });
});

describe("Links that somebody else has made", () => {
  for (const isHeld of process.platform === "linux" ? [true, false] : [false]) {
    it(`lead out only if they are no symbolic ones (${isHeld ? "held" : "by paths"})`, async () => {
      const { guest, inside, outside, end } = sandbox(isHeld);
      symlinkSync(path.join(outside, "secret"), path.join(inside, "absolute"));
      symlinkSync("../outside", path.join(inside, "relative"));
      symlinkSync("/proc/self/root", path.join(inside, "magic"));
      await fails("ENOTCAPABLE", guest.readLink(ROOT, "absolute"));
      for (const name of ["absolute", "relative", "relative/secret", "magic", "magic/etc"]) {
        await fails("ENOTCAPABLE", guest.open(ROOT, name, { follow: true }));
        await fails("ENOTCAPABLE", guest.statPath(ROOT, name, true));
      }
      // A second name is a file in the directory as good as any: it was put there by somebody who could.
      linkSync(path.join(outside, "secret"), path.join(inside, "hard"));
      assert.equal(await guest.content(ROOT, "hard"), "secret");
      await end();
    });
  }
});

describe("A directory found by its path", () => {
  it("is not used any more when something else is there", async () => {
    const { guest, inside, outside, end } = sandbox(false);
    mkdirSync(path.join(inside, "a"));
    const opened = await guest.openDirectory(ROOT, "a");
    renameSync(path.join(inside, "a"), path.join(inside, "b"));
    symlinkSync(outside, path.join(inside, "a"));
    await fails("ENOENT", guest.create(opened, "file"));
    await fails("ENOENT", guest.open(opened, "secret"));
    assert.deepEqual(readdirSync(outside), ["secret"]);
    await end();
  });
});

describe("Names on the disk", onLinux, () => {
  it("are not shown when they are no UTF-8", async () => {
    const { guest, inside, end } = sandbox();
    writeFileSync(Buffer.concat([Buffer.from(`${inside}/`), Buffer.from([0x66, 0xff])]), "");
    writeFileSync(path.join(inside, "größe"), "");
    assert.deepEqual(await guest.names(ROOT), ["größe"]);
    await end();
  });

  it("that a link leads to are no UTF-8 either: the link cannot be read", async () => {
    const { guest, inside, end } = sandbox();
    symlinkSync(Buffer.from([0x66, 0xff]), path.join(inside, "link"));
    await fails("EILSEQ", guest.readLink(ROOT, "link"));
    await fails("EILSEQ", guest.open(ROOT, "link", { follow: true }));
    await end();
  });
});

describe("Descriptors of the computer", onLinux, () => {
  const countOpen = (): number => readdirSync("/proc/self/fd").length;

  it("are closed, whatever fails", async () => {
    const { guest, inside, outside, end } = sandbox();
    mkdirSync(path.join(inside, "a/b/c"), { recursive: true });
    writeFileSync(path.join(inside, "a/file"), "abc");
    symlinkSync("b/c/../../file", path.join(inside, "a/link"));
    symlinkSync(outside, path.join(inside, "a/out"));
    const before = countOpen();
    for (const name of [
      "a/b/c/missing",
      "a/link",
      "a/out",
      "a/b/../../../x",
      "a/b/c/",
      "a/file/x",
      "a/link/x",
      "a/b/c",
    ]) {
      for (const follow of [true, false]) {
        await outcome(guest.open(ROOT, name, { follow, rights: READ_WRITE }));
        await outcome(guest.open(ROOT, name, { follow, directory: true, create: true }));
        await outcome(guest.statPath(ROOT, name, follow));
        await outcome(guest.link(ROOT, name, ROOT, "a/b/../link"));
        await outcome(guest.rename(ROOT, "a/link", ROOT, name));
        await outcome(guest.readLink(ROOT, name));
      }
    }
    for (let fd = 4; fd < 60; fd++) await outcome(guest.close(fd));
    for (let fd = 0; fd < ROOT; fd++) await outcome(guest.close(fd));
    assert.equal(countOpen(), before);
    await end();
  });

  it("are closed at the end of the program, those for appending and of directories too", async () => {
    const before = countOpen();
    const { guest, end } = sandbox();
    for (let index = 0; index < 10; index++) {
      const file = await guest.open(ROOT, `file-${index}`, { create: true, flags: 1 });
      await guest.write(file, "appended");
      await guest.makeDirectory(ROOT, `folder-${index}`);
      await guest.openDirectory(ROOT, `folder-${index}`);
    }
    assert.equal(countOpen(), before + 31);
    await end();
    assert.equal(countOpen(), before);
  });

  it("are not opened for a program that has enough", async () => {
    const { inside, end } = sandbox();
    const guest = new GuestCalls({ preopens: { "/": inside }, maxOpenFiles: 6 });
    while ((await outcome(guest.open(ROOT, "file", { create: true }))) !== "EMFILE");
    const before = countOpen();
    for (let round = 0; round < 100; round++) await fails("EMFILE", guest.open(ROOT, "file"));
    assert.equal(countOpen(), before);
    await guest.wasi.close();
    await end();
  });

  it("run out with an error", async () => {
    const script = `
      import { WASI } from "stackful/wasi";
      import { GuestCalls } from ${JSON.stringify(new URL("../guest-calls.ts", import.meta.url).href.replace(/\.ts$/, import.meta.url.endsWith(".ts") ? ".ts" : ".js"))};
      const guest = new GuestCalls({ preopens: { "/": process.argv[1] }, maxOpenFiles: 100_000 });
      let error;
      try { for (;;) await guest.open(3, "file", { create: true }); } catch (thrown) { error = thrown; }
      console.log(error.code);`;
    const { inside, end } = sandbox();
    const flags = process.execArgv.filter((flag) => flag.startsWith("--conditions"));
    const command = `ulimit -n 200; exec "$0" "$@"`;
    const args = ["-c", command, process.execPath, ...flags, "--input-type=module", "--eval", script, inside];
    assert.equal(execFileSync("sh", args, { encoding: "utf8" }).trim(), "EMFILE");
    await end();
  });
});

describe("Memory that is shared between threads", () => {
  it("can be read into and written from", async () => {
    const { inside, end } = sandbox();
    const memory = new WebAssembly.Memory({ initial: 32, maximum: 64, shared: true });
    const guest = new GuestCalls({ preopens: { "/": inside } }, memory);
    const file = await guest.open(ROOT, "file", { create: true });
    await guest.write(file, "shared");
    guest.bytes.set(new TextEncoder().encode("ab"), 5000);
    await guest.call("fd_pwrite", file, ...guest.vectors([5000, 1], [5001, 1]), 0n, 64);
    assert.equal(await guest.readAt(file, 100, 0n), "abared");
    await guest.call("fd_pread", file, ...guest.vectors([6000, 2], [6010, 9]), 0n, 64);
    assert.deepEqual([...guest.bytes.slice(6010, 6014)], [...new TextEncoder().encode("ared")]);
    await guest.makeDirectory(ROOT, "folder");
    assert.deepEqual(await guest.names(ROOT), ["file", "folder"]);
    await guest.symlink("file", ROOT, "link");
    assert.equal(await guest.readLink(ROOT, "link"), "file");
    await guest.wasi.close();
    await end();
  });
});
