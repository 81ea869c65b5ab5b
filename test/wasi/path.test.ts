/** Names: making, removing, renaming, linking, and what is told of them. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { FILE_TYPE, FST_FLAGS } from "#src/wasi/preview1/layout";
import { DIRECTORY_RIGHTS, RIGHTS } from "#src/wasi/preview1/rights";
import type { Right } from "#src/wasi/preview1/rights";
import { ROOT, onEach } from "./file-systems.ts";
import { fails } from "./guest-calls.ts";
import type { GuestCalls } from "./guest-calls.ts";

describe("path_create_directory()", () => {
  onEach("makes one, with a slash at its end or not", async (guest) => {
    await guest.makeDirectory(ROOT, "a");
    await guest.makeDirectory(ROOT, "a/b/");
    await guest.makeDirectory(ROOT, "a/./b/../c///");
    assert.deepEqual(await guest.names(await guest.openDirectory(ROOT, "a")), ["b", "c"]);
  });

  onEach("says when the name is taken, or leads nowhere", async (guest) => {
    await guest.create(ROOT, "file");
    await guest.symlink("nowhere", ROOT, "link");
    await guest.makeDirectory(ROOT, "folder");
    for (const path of ["file", "file/", "link", "link/", "folder", "folder/", ".", "./", "folder/.", "folder/.."]) {
      await fails("EEXIST", guest.makeDirectory(ROOT, path));
    }
    await fails("ENOENT", guest.makeDirectory(ROOT, "missing/new"));
    await fails("ENOENT", guest.makeDirectory(ROOT, "missing/."));
    await fails("ENOENT", guest.makeDirectory(ROOT, ""));
    await fails("ENOTDIR", guest.makeDirectory(ROOT, "file/new"));
    assert.deepEqual(await guest.names(ROOT), ["file", "folder", "link"]);
  });
});

describe("path_remove_directory()", () => {
  onEach("removes an empty one, with a slash at its end or not", async (guest) => {
    await guest.makeDirectory(ROOT, "a");
    await guest.makeDirectory(ROOT, "b");
    await guest.removeDirectory(ROOT, "a");
    await guest.removeDirectory(ROOT, "b/");
    assert.deepEqual(await guest.names(ROOT), []);
  });

  onEach("refuses everything else", async (guest) => {
    await guest.create(ROOT, "file");
    await guest.makeDirectory(ROOT, "full");
    await guest.makeDirectory(ROOT, "full/nested");
    await guest.symlink("full/nested", ROOT, "link");
    await fails("ENOTEMPTY", guest.removeDirectory(ROOT, "full"));
    for (const path of ["file", "file/", "link", "link/"]) await fails("ENOTDIR", guest.removeDirectory(ROOT, path));
    await fails("ENOENT", guest.removeDirectory(ROOT, "missing"));
    await fails("EINVAL", guest.removeDirectory(ROOT, "."));
    await fails("EINVAL", guest.removeDirectory(ROOT, "full/."));
    await fails("ENOTEMPTY", guest.removeDirectory(ROOT, "full/.."));
    assert.deepEqual(await guest.names(ROOT), ["file", "full", "link"]);
  });
});

describe("path_unlink_file()", () => {
  onEach("removes files and links, not what links lead to", async (guest) => {
    await guest.create(ROOT, "file");
    await guest.symlink("file", ROOT, "link");
    await guest.unlink(ROOT, "link");
    assert.deepEqual(await guest.names(ROOT), ["file"]);
    await guest.unlink(ROOT, "file");
    assert.deepEqual(await guest.names(ROOT), []);
  });

  onEach("refuses everything else", async (guest) => {
    await guest.create(ROOT, "file");
    await guest.makeDirectory(ROOT, "folder");
    await guest.symlink("folder", ROOT, "link");
    for (const path of ["folder", "folder/", ".", "folder/.", "folder/.."])
      await fails("EISDIR", guest.unlink(ROOT, path));
    for (const path of ["file/", "link/", "file/x"]) await fails("ENOTDIR", guest.unlink(ROOT, path));
    await fails("ENOENT", guest.unlink(ROOT, "missing"));
    await fails("ENOENT", guest.unlink(ROOT, "missing/"));
    assert.deepEqual(await guest.names(ROOT), ["file", "folder", "link"]);
  });
});

describe("path_rename()", () => {
  onEach("moves a file, over another one if there is one", async (guest) => {
    await guest.makeDirectory(ROOT, "folder");
    const folder = await guest.openDirectory(ROOT, "folder");
    await guest.create(ROOT, "source", "new");
    await guest.create(folder, "target", "old");
    await guest.rename(ROOT, "source", folder, "target");
    await fails("ENOENT", guest.open(ROOT, "source"));
    assert.equal(await guest.content(ROOT, "folder/target"), "new");
    await guest.rename(folder, "target", ROOT, "folder/../target");
    assert.equal(await guest.content(ROOT, "target"), "new");
    await guest.rename(ROOT, "target", ROOT, "target");
    assert.equal(await guest.content(ROOT, "target"), "new");
  });

  onEach("moves a directory, over an empty one if there is one", async (guest) => {
    await guest.makeDirectory(ROOT, "source");
    await guest.create(ROOT, "source/file");
    await guest.rename(ROOT, "source", ROOT, "target");
    await fails("ENOENT", guest.openDirectory(ROOT, "source"));
    await guest.makeDirectory(ROOT, "empty");
    await guest.rename(ROOT, "target", ROOT, "empty");
    assert.deepEqual(await guest.names(await guest.openDirectory(ROOT, "empty")), ["file"]);
  });

  onEach("takes slashes after names of directories", async (guest) => {
    await guest.makeDirectory(ROOT, "source");
    await guest.rename(ROOT, "source/", ROOT, "target");
    await guest.rename(ROOT, "target", ROOT, "source/");
    await guest.rename(ROOT, "source/", ROOT, "target/");
    assert.deepEqual(await guest.names(ROOT), ["target"]);
  });

  onEach("does not follow links", async (guest) => {
    await guest.create(ROOT, "file", "abc");
    await guest.create(ROOT, "other", "xyz");
    await guest.symlink("file", ROOT, "link");
    await guest.rename(ROOT, "link", ROOT, "moved");
    assert.equal(await guest.readLink(ROOT, "moved"), "file");
    await guest.rename(ROOT, "other", ROOT, "moved");
    assert.deepEqual(await guest.names(ROOT), ["file", "moved"]);
    assert.equal(await guest.content(ROOT, "file"), "abc");
  });

  onEach("refuses what cannot be", async (guest) => {
    await guest.makeDirectory(ROOT, "source");
    await guest.makeDirectory(ROOT, "full");
    await guest.create(ROOT, "full/file");
    await guest.create(ROOT, "file");
    await guest.symlink("source", ROOT, "link");
    const refused = async (code: string | string[], from: string, to: string): Promise<void> =>
      fails(code, guest.rename(ROOT, from, ROOT, to));
    await refused(["ENOTEMPTY", "EEXIST"], "source", "full");
    await refused("ENOTDIR", "source", "full/file");
    await refused("ENOTDIR", "source", "file");
    await refused("EISDIR", "file", "source");
    await refused("EISDIR", "file", "full");
    await refused("ENOTDIR", "file/", "new");
    await refused("ENOTDIR", "file", "new/");
    await refused("ENOTDIR", "link/", "new");
    await refused("ENOENT", "missing", "new");
    await refused("ENOENT", "file", "missing/new");
    await refused("EINVAL", "source", "source/inside");
    await refused("EBUSY", ".", "new");
    await refused("EBUSY", "source", ".");
    await refused("EBUSY", "source/..", "new");
    assert.deepEqual(await guest.names(ROOT), ["file", "full", "link", "source"]);
  });

  onEach("takes what is open along", async (guest) => {
    await guest.makeDirectory(ROOT, "a");
    await guest.makeDirectory(ROOT, "a/b");
    const opened = await guest.openDirectory(ROOT, "a/b");
    const { inode } = await guest.stat(opened);
    assert.equal((await guest.statPath(ROOT, "a/b")).inode, inode);
  });
});

describe("path_link()", () => {
  onEach("gives a file a second name, which is as good as the first", async (guest) => {
    await guest.create(ROOT, "file", "abc");
    await guest.makeDirectory(ROOT, "folder");
    const folder = await guest.openDirectory(ROOT, "folder");
    await guest.link(ROOT, "file", folder, "link");
    const first = await guest.statPath(ROOT, "file");
    assert.deepEqual(await guest.statPath(folder, "link"), first);
    assert.equal(first.links, 2n);
    await guest.unlink(ROOT, "file");
    assert.equal(await guest.content(folder, "link"), "abc");
    assert.equal((await guest.statPath(folder, "link")).links, 1n);
  });

  onEach("gives a symbolic link a second name, or what it leads to", async (guest) => {
    await guest.create(ROOT, "file", "abc");
    await guest.symlink("file", ROOT, "symbolic");
    await guest.link(ROOT, "symbolic", ROOT, "link");
    assert.equal(await guest.readLink(ROOT, "link"), "file");
    await guest.link(ROOT, "symbolic", ROOT, "followed", true);
    assert.equal((await guest.statPath(ROOT, "followed")).type, FILE_TYPE.regularFile);
    for (const target of ["nowhere", "dangling"]) {
      await guest.symlink(target, ROOT, "dangling");
      await guest.link(ROOT, "dangling", ROOT, "second");
      await fails(["ENOENT", "ELOOP"], guest.link(ROOT, "dangling", ROOT, "third", true));
      await guest.unlink(ROOT, "dangling");
      await guest.unlink(ROOT, "second");
    }
  });

  onEach("refuses what cannot be", async (guest) => {
    await guest.create(ROOT, "file");
    await guest.create(ROOT, "other");
    await guest.makeDirectory(ROOT, "folder");
    await guest.symlink("nowhere", ROOT, "symbolic");
    const refused = async (code: string | string[], from: string, to: string): Promise<void> =>
      fails(code, guest.link(ROOT, from, ROOT, to));
    for (const to of ["file", "other", "folder", "folder/", "symbolic", "."]) await refused("EEXIST", "file", to);
    await refused(["EPERM", "EACCES"], "folder", "new");
    await refused(["EPERM", "EACCES"], "folder/", "new");
    await refused(["EPERM", "EACCES"], ".", "new");
    await refused("ENOENT", "file", "new/");
    await refused("ENOENT", "file", "missing/new");
    await refused("ENOENT", "missing", "new");
    await refused("ENOTDIR", "file/", "new");
    assert.deepEqual(await guest.names(ROOT), ["file", "folder", "other", "symbolic"]);
  });
});

describe("path_symlink() and path_readlink()", () => {
  onEach("keep what the link says", async (guest) => {
    for (const says of ["target", "../up", "a/b/../c", "größe", "trailing/"]) {
      await guest.symlink(says, ROOT, "link");
      assert.equal(await guest.readLink(ROOT, "link"), says);
      const { type, size } = await guest.statPath(ROOT, "link");
      assert.deepEqual([type, Number(size)], [FILE_TYPE.symbolicLink, new TextEncoder().encode(says).length]);
      await guest.unlink(ROOT, "link");
    }
  });

  onEach("cut off what there is no room for, and leave the rest of the room as it is", async (guest) => {
    await guest.symlink("target", ROOT, "link");
    assert.equal(await guest.readLink(ROOT, "link", 4), "targ");
    assert.equal(await guest.readLink(ROOT, "link", 0), "");
    guest.bytes.fill(7, 5000, 5010);
    await guest.call("path_readlink", ROOT, ...guest.text("link"), 5000, 10, 64);
    assert.deepEqual([...guest.bytes.slice(5005, 5008)], ["t".charCodeAt(0), 7, 7]);
  });

  onEach("refuse what is no link", async (guest) => {
    await guest.create(ROOT, "file");
    await guest.makeDirectory(ROOT, "folder");
    await guest.symlink("folder", ROOT, "link");
    await guest.symlink("nowhere", ROOT, "dangling");
    for (const path of ["file", "folder", ".", "folder/", "link/"]) await fails("EINVAL", guest.readLink(ROOT, path));
    await fails("ENOENT", guest.readLink(ROOT, "missing"));
    await fails("ENOENT", guest.readLink(ROOT, "dangling/"));
    await fails("ENOTDIR", guest.readLink(ROOT, "file/"));
  });

  onEach("refuse names that are taken, or are to be directories", async (guest) => {
    await guest.create(ROOT, "file");
    await guest.makeDirectory(ROOT, "folder");
    await fails("ENOENT", guest.symlink("target", ROOT, "new/"));
    for (const path of ["file", "folder", "folder/", ".", "folder/.."]) {
      await fails("EEXIST", guest.symlink("target", ROOT, path));
    }
    await fails(["EEXIST", "ENOTDIR"], guest.symlink("target", ROOT, "file/"));
    await fails("ENOENT", guest.symlink("", ROOT, "new"));
    await fails("EINVAL", guest.symlink("a\0b", ROOT, "new"));
    assert.deepEqual(await guest.names(ROOT), ["file", "folder"]);
  });
});

describe("path_filestat_get() and path_filestat_set_times()", () => {
  onEach("look at a link, or at what it leads to", async (guest) => {
    await guest.makeDirectory(ROOT, "folder");
    await guest.create(ROOT, "folder/file", "abc");
    await guest.symlink("folder/file", ROOT, "link");
    const typeOf = async (path: string, follow: boolean): Promise<number> =>
      (await guest.statPath(ROOT, path, follow)).type;
    assert.equal(await typeOf("link", false), FILE_TYPE.symbolicLink);
    assert.equal(await typeOf("link", true), FILE_TYPE.regularFile);
    for (const path of [".", "folder", "folder/", "folder/.", "folder/..", "./folder/../folder"]) {
      assert.equal(await typeOf(path, false), FILE_TYPE.directory);
      assert.equal(await typeOf(path, true), FILE_TYPE.directory);
    }
    for (const path of ["link/", "folder/file/", "folder/file/."]) {
      await fails("ENOTDIR", guest.statPath(ROOT, path));
      await fails("ENOTDIR", guest.statPath(ROOT, path, true));
    }
    await guest.symlink("nowhere", ROOT, "dangling");
    await fails("ENOENT", guest.statPath(ROOT, "dangling", true));
    assert.equal(await typeOf("dangling", false), FILE_TYPE.symbolicLink);
    await fails("ENOENT", guest.statPath(ROOT, ""));
  });

  onEach("set the times of a link, or of what it leads to", async (guest) => {
    await guest.create(ROOT, "file");
    await guest.symlink("file", ROOT, "link");
    const file = (await guest.statPath(ROOT, "file")).modified;
    const flags = FST_FLAGS.mtim;
    await guest.setPathTimes(ROOT, "link", { modified: 7_000_000_000n, flags });
    assert.equal((await guest.statPath(ROOT, "link")).modified, 7_000_000_000n);
    assert.equal((await guest.statPath(ROOT, "file")).modified, file);
    assert.equal((await guest.statPath(ROOT, "link", true)).modified, file);
    await guest.setPathTimes(ROOT, "link", { modified: 8_000_000_000n, flags, follow: true });
    assert.equal((await guest.statPath(ROOT, "file")).modified, 8_000_000_000n);
    assert.equal((await guest.statPath(ROOT, "link")).modified, 7_000_000_000n);
    await guest.setPathTimes(ROOT, ".", { modified: 9_000_000_000n, flags });
    assert.equal((await guest.stat(ROOT)).modified, 9_000_000_000n);
  });

  onEach("keep nanoseconds", async (guest, { hasExactTimes }) => {
    if (!hasExactTimes) return;
    await guest.create(ROOT, "file");
    await guest.symlink("file", ROOT, "link");
    for (const path of ["file", "link"]) {
      const { modified, accessed } = await guest.statPath(ROOT, path);
      await guest.setPathTimes(ROOT, path, { modified: modified - 101n, flags: FST_FLAGS.mtim });
      await guest.setPathTimes(ROOT, path, { accessed: accessed - 203n, flags: FST_FLAGS.atim });
      const after = await guest.statPath(ROOT, path);
      assert.deepEqual([after.modified, after.accessed], [modified - 101n, accessed - 203n]);
    }
  });
});

describe("Rights of a directory", () => {
  const needs: readonly [Right, (guest: GuestCalls, fd: number) => Promise<unknown>][] = [
    ["path_create_directory", async (guest, fd) => guest.makeDirectory(fd, "new")],
    ["path_remove_directory", async (guest, fd) => guest.removeDirectory(fd, "folder")],
    ["path_unlink_file", async (guest, fd) => guest.unlink(fd, "file")],
    ["path_rename_source", async (guest, fd) => guest.rename(fd, "file", ROOT, "new")],
    ["path_rename_target", async (guest, fd) => guest.rename(ROOT, "file", fd, "new")],
    ["path_link_source", async (guest, fd) => guest.link(fd, "file", ROOT, "new")],
    ["path_link_target", async (guest, fd) => guest.link(ROOT, "file", fd, "new")],
    ["path_symlink", async (guest, fd) => guest.symlink("file", fd, "new")],
    ["path_readlink", async (guest, fd) => guest.readLink(fd, "link")],
    ["path_filestat_get", async (guest, fd) => guest.statPath(fd, "file")],
    ["path_filestat_set_times", async (guest, fd) => guest.setPathTimes(fd, "file", { flags: 0 })],
    ["path_open", async (guest, fd) => guest.open(fd, "file")],
    ["fd_readdir", async (guest, fd) => guest.readDirectory(fd, 100)],
    ["fd_filestat_get", async (guest, fd) => guest.stat(fd)],
    ["fd_filestat_set_times", async (guest, fd) => guest.setTimes(fd, 0n, 0n, 0)],
    ["fd_sync", async (guest, fd) => guest.call("fd_sync", fd)],
    ["fd_advise", async (guest, fd) => guest.call("fd_advise", fd, 0n, 0n, 0)],
    ["fd_fdstat_set_flags", async (guest, fd) => guest.call("fd_fdstat_set_flags", fd, 0)],
  ];
  for (const [right, call] of needs) {
    onEach(`${right} is needed, and enough`, async (guest) => {
      await guest.create(ROOT, "file");
      await guest.makeDirectory(ROOT, "folder");
      await guest.symlink("file", ROOT, "link");
      const without = await guest.open(ROOT, ".", { directory: true, rights: DIRECTORY_RIGHTS & ~RIGHTS[right] });
      await fails("ENOTCAPABLE", call(guest, without));
      const only = await guest.open(ROOT, ".", { directory: true, rights: [right] });
      await call(guest, only);
    });
  }
});
