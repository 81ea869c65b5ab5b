/** What a descriptor is, what it may be used for, and its end. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FD_FLAGS, FILE_TYPE, FST_FLAGS } from "#src/wasi/preview1/layout";
import { DIRECTORY_RIGHTS, FILE_RIGHTS, RIGHTS } from "#src/wasi/preview1/rights";
import { ROOT, onEach } from "./file-systems.ts";
import { GuestCalls, READ_WRITE, fails, rights } from "./guest-calls.ts";
import { ManualOutput } from "./manual-streams.ts";

/** `fs.promises` takes seconds as a double (238 ns apart in these years), and libuv cuts that to whole microseconds. */
const INEXACT_TIME_NS = 1_500;

describe("fd_fdstat_get()", () => {
  onEach("tells what a directory is, and what may be had through it", async (guest) => {
    const { type, flags, base, inheriting } = await guest.status(ROOT);
    assert.equal(type, FILE_TYPE.directory);
    assert.equal(flags, 0);
    assert.equal(base, DIRECTORY_RIGHTS);
    assert.equal(inheriting, DIRECTORY_RIGHTS | FILE_RIGHTS);
    assert.equal(base & rights("fd_seek", "fd_read", "fd_write", "fd_filestat_set_size"), 0n);
  });

  onEach("needs no right", async (guest) => {
    const file = await guest.open(ROOT, "file", { create: true, rights: 0n });
    assert.deepEqual(await guest.status(file), { type: FILE_TYPE.regularFile, flags: 0, base: 0n, inheriting: 0n });
    await fails("ENOTCAPABLE", guest.stat(file));
  });

  onEach("fails for a number under which nothing is open", async (guest) => {
    for (const fd of [4, 99, -1, 2 ** 31]) await fails("EBADF", guest.status(fd));
  });
});

describe("fd_fdstat_set_rights()", () => {
  onEach("takes rights away, for good", async (guest) => {
    const file = await guest.open(ROOT, "file", { create: true, rights: READ_WRITE });
    await guest.write(file, "abc");
    const kept = rights("fd_seek", "fd_tell");
    await guest.call("fd_fdstat_set_rights", file, kept, 0n);
    assert.equal((await guest.status(file)).base, kept);
    await fails("ENOTCAPABLE", guest.write(file, "x"));
    await fails("ENOTCAPABLE", guest.read(file, 1));
    assert.equal(await guest.tell(file), 3n);
    assert.equal(await guest.errno("fd_fdstat_set_rights", file, rights(...READ_WRITE), 0n), "ENOTCAPABLE");
    assert.equal(await guest.errno("fd_fdstat_set_rights", file, kept, 1n), "ENOTCAPABLE");
    assert.equal(await guest.errno("fd_fdstat_set_rights", file, 2n ** 63n, 0n), "ENOTCAPABLE");
    assert.equal((await guest.status(file)).base, kept);
  });

  onEach("limits what a directory gives away", async (guest) => {
    const directory = await guest.openDirectory(ROOT, ".");
    await guest.call("fd_fdstat_set_rights", directory, rights("path_open"), rights("fd_read"));
    await guest.create(ROOT, "file", "abc");
    const file = await guest.open(directory, "file", { rights: ["fd_read"], inheriting: 0n });
    assert.equal(await guest.read(file, 9), "abc");
    await fails("ENOTCAPABLE", guest.open(directory, "file", { rights: ["fd_write"], inheriting: 0n }));
    await fails("ENOTCAPABLE", guest.open(directory, "file", { rights: 0n, inheriting: ["fd_write"] }));
    await fails("ENOTCAPABLE", guest.open(directory, "new", { create: true, rights: 0n, inheriting: 0n }));
    await fails("ENOTCAPABLE", guest.open(directory, "file", { truncate: true, rights: 0n, inheriting: 0n }));
    await fails("ENOTCAPABLE", guest.makeDirectory(directory, "new"));
    assert.deepEqual(await guest.names(ROOT), ["file"]);
  });
});

describe("fd_fdstat_set_flags()", () => {
  onEach("changes flags, those that exist", async (guest) => {
    const file = await guest.open(ROOT, "file", { create: true, rights: ["fd_fdstat_set_flags"] });
    await guest.call("fd_fdstat_set_flags", file, FD_FLAGS.append | FD_FLAGS.nonblock);
    assert.equal((await guest.status(file)).flags, FD_FLAGS.append | FD_FLAGS.nonblock);
    assert.equal(await guest.errno("fd_fdstat_set_flags", file, 32), "EINVAL");
    const other = await guest.open(ROOT, "file", { rights: ["fd_read"] });
    assert.equal(await guest.errno("fd_fdstat_set_flags", other, 0), "ENOTCAPABLE");
  });
});

describe("fd_filestat_get()", () => {
  onEach("tells two files apart, and one from itself not", async (guest) => {
    for (const name of ["a", "b"]) await guest.create(ROOT, name, name.repeat(3));
    const a = await guest.statPath(ROOT, "a");
    const again = await guest.statPath(ROOT, "a");
    const b = await guest.statPath(ROOT, "b");
    assert.equal(a.inode, again.inode);
    assert.notEqual(a.inode, b.inode);
    assert.equal(a.device, b.device);
    assert.deepEqual([a.type, a.links, a.size], [FILE_TYPE.regularFile, 1n, 3n]);
    const file = await guest.open(ROOT, "a");
    assert.equal((await guest.stat(file)).inode, a.inode);
    assert.equal((await guest.stat(ROOT)).type, FILE_TYPE.directory);
  });
});

describe("fd_filestat_set_times()", () => {
  onEach("sets one time and leaves the other", async (guest, { hasExactTimes }) => {
    const file = await guest.open(ROOT, "file", { create: true, rights: [...READ_WRITE, "fd_filestat_set_times"] });
    await guest.write(file, "abc");
    const before = await guest.stat(file);
    const modified = before.modified - 100n;
    await guest.setTimes(file, modified, modified, FST_FLAGS.mtim);
    const after = await guest.stat(file);
    if (hasExactTimes) {
      assert.equal(after.modified, modified);
      assert.equal(after.accessed, before.accessed);
      assert.equal((await guest.statPath(ROOT, "file")).modified, modified);
    } else {
      assert.ok(Math.abs(Number(after.modified - modified)) < INEXACT_TIME_NS);
      assert.ok(Math.abs(Number(after.accessed - before.accessed)) < INEXACT_TIME_NS);
    }
    assert.equal(after.size, 3n);
    // What is written later counts again.
    await guest.writeAt(file, "x", 0n);
    assert.ok((await guest.stat(file)).modified > modified);
  });

  onEach("sets times of long ago and far away, and of now", async (guest) => {
    const file = await guest.open(ROOT, "file", { create: true, rights: [...READ_WRITE, "fd_filestat_set_times"] });
    for (const time of [0n, 1_000_000_000n, 4_000_000_000_000_000_000n]) {
      await guest.setTimes(file, time, time, FST_FLAGS.atim | FST_FLAGS.mtim);
      const { accessed, modified } = await guest.stat(file);
      assert.deepEqual([accessed, modified], [time, time]);
    }
    await guest.setTimes(file, 0n, 0n, FST_FLAGS.atimNow | FST_FLAGS.mtimNow);
    const { accessed, modified } = await guest.stat(file);
    for (const time of [accessed, modified]) {
      assert.ok(Math.abs(Number(time / 1_000_000n) - Date.now()) < 10_000, `${time} is not now`);
    }
  });

  onEach("refuses contradictions, and changes nothing then", async (guest) => {
    const file = await guest.open(ROOT, "file", { create: true, rights: [...READ_WRITE, "fd_filestat_set_times"] });
    const before = await guest.stat(file);
    for (const flags of [FST_FLAGS.mtim | FST_FLAGS.mtimNow, FST_FLAGS.atim | FST_FLAGS.atimNow, 16]) {
      await fails("EINVAL", guest.setTimes(file, 100n, 200n, flags));
      await fails("EINVAL", guest.setPathTimes(ROOT, "file", { flags }));
    }
    assert.deepEqual(await guest.stat(file), before);
    const other = await guest.open(ROOT, "file", { rights: ["fd_read"] });
    await fails("ENOTCAPABLE", guest.setTimes(other, 0n, 0n, FST_FLAGS.mtim));
  });

  onEach("sets those of a directory", async (guest) => {
    await guest.makeDirectory(ROOT, "folder");
    const folder = await guest.openDirectory(ROOT, "folder");
    await guest.setTimes(folder, 5_000_000_000n, 6_000_000_000n, FST_FLAGS.atim | FST_FLAGS.mtim);
    const { accessed, modified } = await guest.statPath(ROOT, "folder");
    assert.deepEqual([accessed, modified], [5_000_000_000n, 6_000_000_000n]);
  });
});

describe("fd_renumber()", () => {
  it("moves a stream that is open under both numbers, which is closed with the last of them", async () => {
    const output = new ManualOutput();
    const guest = new GuestCalls({ stdin: "ignore", stdout: output, stderr: output });
    await guest.call("fd_renumber", 1, 2);
    assert.equal(await guest.errno("fd_fdstat_get", 1, 64), "EBADF");
    assert.equal((await guest.status(2)).type, FILE_TYPE.unknown);
    assert.equal(output.isClosed, false);
    await guest.close(2);
    assert.equal(output.isClosed, true);
  });

  onEach("puts a descriptor in the place of another one", async (guest) => {
    const from = await guest.open(ROOT, "one", { create: true, rights: READ_WRITE });
    await guest.write(from, "one");
    const to = await guest.open(ROOT, "two", { create: true, rights: READ_WRITE });
    const status = await guest.status(from);
    await guest.call("fd_renumber", from, to);
    await fails("EBADF", guest.close(from));
    assert.deepEqual(await guest.status(to), status);
    assert.equal(await guest.tell(to), 3n);
    assert.equal(await guest.readAt(to, 9, 0n), "one");
    assert.equal(await guest.errno("fd_renumber", to, from), "EBADF");
    assert.equal(await guest.errno("fd_renumber", from, to), "EBADF");
    await guest.call("fd_renumber", to, to);
    await guest.close(to);
  });

  onEach("replaces a directory that the program has started with", async (guest) => {
    await guest.makeDirectory(ROOT, "folder");
    const folder = await guest.openDirectory(ROOT, "folder");
    const { inode } = await guest.stat(folder);
    await guest.call("fd_renumber", folder, ROOT);
    assert.equal((await guest.stat(ROOT)).inode, inode);
    await fails("EBADF", guest.status(folder));
  });
});

describe("fd_close()", () => {
  onEach("frees the number for the next one", async (guest) => {
    const first = await guest.open(ROOT, "file", { create: true });
    const second = await guest.open(ROOT, "file");
    assert.equal(second, first + 1);
    await guest.close(first);
    await fails("EBADF", guest.close(first));
    assert.equal(await guest.open(ROOT, "file"), first);
  });

  onEach("closes directories that the program has started with", async (guest) => {
    const root = await guest.openDirectory(ROOT, ".");
    await guest.close(ROOT);
    await fails("EBADF", guest.status(ROOT));
    assert.equal((await guest.status(root)).type, FILE_TYPE.directory);
    await guest.create(root, "file");
    assert.deepEqual(await guest.names(root), ["file"]);
  });

  onEach("leaves a file that has no name any more until then", async (guest) => {
    const file = await guest.open(ROOT, "file", { create: true, rights: READ_WRITE });
    await guest.write(file, "still here");
    await guest.unlink(ROOT, "file");
    await fails("ENOENT", guest.open(ROOT, "file"));
    assert.equal(await guest.readAt(file, 100, 0n), "still here");
    assert.equal((await guest.stat(file)).links, 0n);
    await guest.create(ROOT, "file", "another");
    assert.equal(await guest.readAt(file, 100, 0n), "still here");
  });
});

describe("A directory", () => {
  onEach("cannot be read or written as a file", async (guest) => {
    const refused = ["EISDIR", "EBADF", "ENOTCAPABLE"];
    const folder = await guest.open(ROOT, ".", { directory: true, rights: RIGHTS.fd_seek | DIRECTORY_RIGHTS });
    for (const fd of [ROOT, folder]) {
      await fails(refused, guest.read(fd, 1));
      await fails(refused, guest.readAt(fd, 1, 0n));
      await fails(refused, guest.write(fd, "x"));
      await fails(refused, guest.writeAt(fd, "x", 0n));
      for (const whence of [0, 1, 2]) await fails(refused, guest.seek(fd, 0n, whence));
      await fails(refused, guest.tell(fd));
      await fails(refused, guest.call("fd_allocate", fd, 0n, 1n));
      await fails([...refused, "EINVAL"], guest.call("fd_filestat_set_size", fd, 0n));
    }
    assert.equal((await guest.status(folder)).base & RIGHTS.fd_seek, 0n);
  });
});
