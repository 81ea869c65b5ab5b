/** Reading and writing files. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { FD_FLAGS, WHENCE } from "#src/wasi/preview1/layout";
import { ROOT, onEach } from "./file-systems.ts";
import { READ_WRITE, fails } from "./guest-calls.ts";

describe("fd_write() and fd_read()", () => {
  onEach("move the place in the file", async (guest) => {
    const file = await guest.open(ROOT, "file", { create: true, rights: READ_WRITE });
    assert.equal(await guest.write(file, "0123456789"), 10);
    assert.equal(await guest.tell(file), 10n);
    assert.equal(await guest.seek(file, 0n, WHENCE.set), 0n);
    assert.equal(await guest.read(file, 4), "0123");
    assert.equal(await guest.read(file, 100), "456789");
    assert.equal(await guest.read(file, 100), "");
    assert.equal(await guest.tell(file), 10n);
  });

  onEach("see each other at once through two descriptors", async (guest) => {
    const reader = await guest.open(ROOT, "file", { create: true, rights: ["fd_read"] });
    const writer = await guest.open(ROOT, "file", { rights: ["fd_write"] });
    await guest.write(writer, "x");
    assert.equal(await guest.read(reader, 1), "x");
    await fails(["EBADF", "ENOTCAPABLE"], guest.write(reader, "x"));
    await fails(["EBADF", "ENOTCAPABLE"], guest.read(writer, 1));
  });

  onEach("append wherever the place in the file is", async (guest) => {
    const file = await guest.open(ROOT, "file", {
      create: true,
      rights: [...READ_WRITE, "fd_fdstat_set_flags"],
      flags: FD_FLAGS.append,
    });
    await guest.write(file, "first,");
    await guest.seek(file, 0n, WHENCE.set);
    await guest.write(file, "second");
    assert.equal(await guest.tell(file), 12n);
    await guest.call("fd_fdstat_set_flags", file, 0);
    await guest.seek(file, 0n, WHENCE.set);
    await guest.write(file, "FIRST");
    await guest.seek(file, 0n, WHENCE.set);
    assert.equal(await guest.read(file, 100), "FIRST,second");
  });
});
