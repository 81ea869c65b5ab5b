/** What is opened by name and is no file. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readSync, readdirSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { describe, it } from "node:test";
import { FILE_TYPE } from "#src/wasi/preview1/layout";
import { eventually } from "../../conformance/harness.ts";
import { ROOT, temporaryDirectory } from "../file-systems.ts";
import { GuestCalls, fails } from "../guest-calls.ts";

const onLinux = { skip: process.platform === "linux" ? false : "devices differ here" };
const READ = { rights: ["fd_read", "fd_filestat_get", "poll_fd_readwrite"] } as const;
const WRITE = { rights: ["fd_write", "fd_filestat_get", "poll_fd_readwrite"] } as const;

describe("A device", onLinux, () => {
  it("is read and written at once", async () => {
    const guest = new GuestCalls({ preopens: { "/dev": "/dev" } });
    const zero = await guest.open(ROOT, "zero", READ);
    assert.equal(await guest.read(zero, 5), "\0\0\0\0\0");
    assert.equal((await guest.stat(zero)).type, FILE_TYPE.characterDevice);
    await fails(["ESPIPE", "ENOTCAPABLE"], guest.tell(zero));
    await fails(["EBADF", "ENOTCAPABLE"], guest.write(zero, "x"));
    const nothing = await guest.open(ROOT, "null", { rights: ["fd_read", "fd_write"] });
    assert.equal(await guest.write(nothing, "gone"), 4);
    assert.equal(await guest.read(nothing, 5), "");
    const full = await guest.open(ROOT, "full", WRITE);
    await fails("ENOSPC", guest.write(full, "x"));
    await guest.wasi.close();
  });
});

/** A program in a directory that has a named pipe in it. */
async function withPipe(test: (guest: GuestCalls, pipe: string) => Promise<void>): Promise<void> {
  const folder = temporaryDirectory();
  const pipe = path.join(folder.path, "pipe");
  execFileSync("mkfifo", [pipe]);
  const before = readdirSync("/proc/self/fd").length;
  const guest = new GuestCalls({ preopens: { "/": folder.path } });
  try {
    await test(guest, pipe);
  } finally {
    await guest.wasi.close();
    folder.remove();
  }
  // A socket of Node closes its descriptor a turn later.
  await eventually(() => readdirSync("/proc/self/fd").length <= before);
}

describe("A named pipe", onLinux, () => {
  it("is read as it is written to, and ends when nobody writes to it any more", async () =>
    withPipe(async (guest, pipe) => {
      const reader = await guest.open(ROOT, "pipe", READ);
      assert.equal((await guest.stat(reader)).type, FILE_TYPE.unknown);
      const pending = guest.read(reader, 100);
      const writer = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
      await new Promise((resolve) => setTimeout(resolve, 20));
      writeSync(writer, "hello");
      assert.equal(await pending, "hello");
      const end = guest.read(reader, 100);
      closeSync(writer);
      assert.equal(await end, "");
    }));

  it("is written to once somebody reads it", async () =>
    withPipe(async (guest, pipe) => {
      const writer = await guest.open(ROOT, "pipe", WRITE);
      let isWritten = false;
      const written = guest.write(writer, "hello").then(() => (isWritten = true));
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(isWritten, false);
      const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
      await written;
      await guest.write(writer, ", again");
      const buffer = new Uint8Array(100);
      const length = readSync(reader, buffer);
      assert.equal(new TextDecoder().decode(buffer.subarray(0, length)), "hello, again");
      closeSync(reader);
    }));

  it("connects two programs in one thread", async () =>
    withPipe(async (guest, pipe) => {
      const other = new GuestCalls({ preopens: { "/": path.dirname(pipe) } });
      const reader = await guest.open(ROOT, "pipe", READ);
      const writer = await other.open(ROOT, "pipe", WRITE);
      const pending = guest.read(reader, 100);
      assert.equal(await other.write(writer, "hello"), 5);
      assert.equal(await pending, "hello");
      const end = guest.read(reader, 100);
      await other.close(writer);
      assert.equal(await end, "");
      await other.wasi.close();
    }));

  it("may be open in both directions", async () =>
    withPipe(async (guest) => {
      const both = await guest.open(ROOT, "pipe", { rights: ["fd_read", "fd_write"] });
      await guest.write(both, "to itself");
      assert.equal(await guest.read(both, 100), "to itself");
    }));

  it("is closed while somebody waits for it", async () =>
    withPipe(async (guest) => {
      const writer = await guest.open(ROOT, "pipe", WRITE);
      const reader = guest.write(writer, "nobody reads this").catch((error: unknown) => String(error));
      await new Promise((resolve) => setTimeout(resolve, 30));
      await guest.close(writer);
      assert.match(await reader.then(String), /EBADF|EPIPE|ECANCELED/);
    }));
});

describe("A socket with a name", onLinux, () => {
  it("cannot be opened", async () => {
    const folder = temporaryDirectory();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path.join(folder.path, "socket"), resolve));
    const guest = new GuestCalls({ preopens: { "/": folder.path } });
    await fails("ENXIO", guest.open(ROOT, "socket", READ));
    await fails("ENXIO", guest.open(ROOT, "socket", WRITE));
    assert.equal((await guest.statPath(ROOT, "socket")).type, FILE_TYPE.socketStream);
    await guest.wasi.close();
    server.close();
    folder.remove();
  });
});
