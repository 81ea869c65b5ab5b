/** Directories a program starts with, and what is in them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryFileSystem } from "stackful/wasi";
import { FILE_TYPE } from "#src/wasi/preview1/layout";
import { ROOT, onEach } from "./file-systems.ts";
import { GuestCalls, fails } from "./guest-calls.ts";

describe("fd_prestat_get() and fd_prestat_dir_name()", () => {
  const { root } = new MemoryFileSystem({ file: "" });
  const guest = new GuestCalls({ preopens: { "/": root, "/größer": root } });

  it("tell the names of directories, from 3 on, until there is none", async () => {
    const names: string[] = [];
    for (let fd = 3; (await guest.errno("fd_prestat_get", fd, 64)) === "ESUCCESS"; fd++) {
      assert.equal(guest.view.getUint8(64), 0);
      const length = guest.view.getUint32(68, true);
      await guest.call("fd_prestat_dir_name", fd, 128, length);
      names.push(new TextDecoder().decode(guest.bytes.slice(128, 128 + length)));
    }
    assert.deepEqual(names, ["/", "/größer"]);
    assert.equal(await guest.errno("fd_prestat_get", 5, 64), "EBADF");
  });

  it("write no further than the name", async () => {
    guest.bytes.fill(7, 128, 160);
    await guest.call("fd_prestat_dir_name", 3, 128, 20);
    assert.deepEqual([...guest.bytes.slice(128, 131)], [47, 7, 7]);
  });

  it("refuse a buffer that is too small", async () => {
    assert.equal(await guest.errno("fd_prestat_dir_name", 3, 128, 0), "ENAMETOOLONG");
    assert.equal(await guest.errno("fd_prestat_dir_name", 4, 128, 8), "ENAMETOOLONG");
  });

  it("do not know what the program has opened itself", async () => {
    const file = await guest.open(3, "file");
    const folder = await guest.openDirectory(3, ".");
    for (const fd of [file, folder, 0, 1, 2]) {
      assert.equal(await guest.errno("fd_prestat_get", fd, 64), "EBADF");
      assert.equal(await guest.errno("fd_prestat_dir_name", fd, 64, 64), "EBADF");
    }
  });
});

describe("fd_readdir()", () => {
  onEach("begins with the directory itself and the one above", async (guest) => {
    const { inode } = await guest.stat(ROOT);
    const { entries, isMore } = await guest.readDirectory(ROOT, 256);
    assert.equal(isMore, false);
    assert.deepEqual(
      entries.map(({ name, type, next }) => [name, type, next]),
      [
        [".", FILE_TYPE.directory, 1n],
        ["..", FILE_TYPE.directory, 2n],
      ],
    );
    assert.equal(entries[0]!.inode, inode);
  });

  onEach("gives names, types and the inodes that stat gives", async (guest) => {
    await guest.create(ROOT, "file");
    await guest.makeDirectory(ROOT, "folder");
    await guest.symlink("nowhere", ROOT, "link");
    const { entries } = await guest.readDirectory(ROOT, 1000);
    const found = entries.slice(2).toSorted((a, b) => a.name.localeCompare(b.name));
    assert.deepEqual(
      found.map(({ name, type }) => [name, type]),
      [
        ["file", FILE_TYPE.regularFile],
        ["folder", FILE_TYPE.directory],
        ["link", FILE_TYPE.symbolicLink],
      ],
    );
    for (const { name, inode } of found) assert.equal(inode, (await guest.statPath(ROOT, name)).inode);
  });

  onEach("goes on where a cookie says", async (guest) => {
    for (const name of ["a", "b", "c"]) await guest.create(ROOT, name);
    const { entries } = await guest.readDirectory(ROOT, 1000);
    for (const [index, { next }] of entries.entries()) {
      const rest = await guest.readDirectory(ROOT, 1000, next);
      assert.deepEqual(rest.entries, entries.slice(index + 1));
    }
    for (const cookie of [6n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n]) {
      assert.deepEqual(await guest.readDirectory(ROOT, 1000, cookie), { entries: [], isMore: false });
    }
  });

  onEach("cuts off what does not fit, in the middle of an entry", async (guest) => {
    await guest.create(ROOT, "a-name");
    const whole = 24 * 3 + 1 + 2 + 6;
    await guest.call("fd_readdir", ROOT, 4096, 1000, 0n, 64);
    assert.equal(guest.view.getUint32(64, true), whole);
    const all = guest.bytes.slice(4096, 4096 + whole);
    for (let room = 0; room <= whole; room++) {
      guest.bytes.fill(0xee, 4096, 4096 + whole + 1);
      await guest.call("fd_readdir", ROOT, 4096, room, 0n, 64);
      assert.equal(guest.view.getUint32(64, true), room);
      assert.deepEqual(guest.bytes.slice(4096, 4096 + room), all.subarray(0, room));
      assert.equal(guest.bytes[4096 + room], 0xee);
    }
  });

  onEach("gives every one of a thousand names once, in pieces of any size", async (guest) => {
    const expected = Array.from({ length: 1000 }, (_, index) => `file.${index}`);
    for (const name of expected) await guest.create(ROOT, name);
    for (const room of [40, 256, 4096]) assert.deepEqual(await guest.names(ROOT, room), expected.toSorted());
  });

  onEach("leaves nothing out when what was read is removed meanwhile", async (guest) => {
    for (let index = 0; index < 50; index++) await guest.create(ROOT, `file.${index}`);
    const removed: string[] = [];
    for (let cookie = 0n; ;) {
      const { entries, isMore } = await guest.readDirectory(ROOT, 200, cookie);
      for (const { name } of entries) {
        if (name === "." || name === "..") continue;
        await guest.unlink(ROOT, name);
        removed.push(name);
      }
      if (!isMore) break;
      cookie = entries.at(-1)!.next;
    }
    assert.equal(new Set(removed).size, 50);
    assert.deepEqual(await guest.names(ROOT), []);
  });

  onEach("sees what is new when it begins again", async (guest) => {
    assert.deepEqual(await guest.names(ROOT), []);
    await guest.create(ROOT, "new");
    assert.deepEqual(await guest.names(ROOT), ["new"]);
  });

  onEach("needs a directory, and the right to read it", async (guest) => {
    await guest.create(ROOT, "file");
    const file = await guest.open(ROOT, "file");
    await fails("ENOTDIR", guest.readDirectory(file, 100));
    const folder = await guest.open(ROOT, ".", { directory: true, rights: ["path_open"] });
    await fails("ENOTCAPABLE", guest.readDirectory(folder, 100));
    await fails("EBADF", guest.readDirectory(99, 100));
  });
});
