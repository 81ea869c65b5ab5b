/** path_open(): what it opens, makes and refuses. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { FD_FLAGS, FILE_TYPE } from "#src/wasi/preview1/layout";
import { DIRECTORY_RIGHTS, FILE_RIGHTS, RIGHTS } from "#src/wasi/preview1/rights";
import { ROOT, onEach } from "./file-systems.ts";
import { GuestCalls, READ_WRITE, fails, rights } from "./guest-calls.ts";

describe("path_open() of files", () => {
  onEach("says when there is none", async (guest) => {
    await fails("ENOENT", guest.open(ROOT, "missing"));
    await fails("ENOENT", guest.open(ROOT, "missing/file", { create: true }));
    await fails("ENOENT", guest.openDirectory(ROOT, "missing"));
    assert.deepEqual(await guest.names(ROOT), []);
  });

  onEach("makes one, or opens the one that is there", async (guest) => {
    const made = await guest.open(ROOT, "file", { create: true, rights: READ_WRITE });
    await guest.write(made, "abc");
    const again = await guest.open(ROOT, "file", { create: true, rights: READ_WRITE });
    assert.equal(await guest.read(again, 9), "abc");
  });

  onEach("makes one only if there is none", async (guest) => {
    await guest.open(ROOT, "file", { create: true, exclusive: true });
    await fails("EEXIST", guest.open(ROOT, "file", { create: true, exclusive: true }));
    await guest.makeDirectory(ROOT, "folder");
    await fails("EEXIST", guest.open(ROOT, "folder", { create: true, exclusive: true }));
    await fails("EEXIST", guest.open(ROOT, ".", { create: true, exclusive: true }));
    await guest.symlink("nowhere", ROOT, "link");
    await fails("EEXIST", guest.open(ROOT, "link", { create: true, exclusive: true, follow: true }));
    await fails("ENOENT", guest.statPath(ROOT, "nowhere"));
  });

  onEach("empties it", async (guest) => {
    await guest.create(ROOT, "file", "to be cut off");
    const file = await guest.open(ROOT, "file", { create: true, truncate: true, rights: READ_WRITE });
    assert.equal(await guest.read(file, 100), "");
    assert.equal((await guest.stat(file)).size, 0n);
  });

  onEach("empties it without the right to write to it, if the directory allows that", async (guest) => {
    await guest.create(ROOT, "file", "abc");
    await guest.close(await guest.open(ROOT, "file", { truncate: true, rights: 0n }));
    assert.equal((await guest.statPath(ROOT, "file")).size, 0n);
    const folder = await guest.openDirectory(ROOT, ".");
    await guest.call("fd_fdstat_set_rights", folder, DIRECTORY_RIGHTS & ~RIGHTS.path_filestat_set_size, FILE_RIGHTS);
    await fails("ENOTCAPABLE", guest.open(folder, "file", { truncate: true, rights: 0n, inheriting: 0n }));
  });

  onEach("gives those rights that were asked for", async (guest) => {
    const wanted = rights("fd_read", "fd_seek", "path_filestat_get");
    const file = await guest.open(ROOT, "file", { create: true, rights: wanted });
    assert.equal((await guest.status(file)).base, rights("fd_read", "fd_seek"));
    assert.equal((await guest.status(file)).inheriting, 0n);
    // Rights that do not apply to files are no reason to refuse.
    const all = await guest.open(ROOT, "file", { rights: 2n ** 64n - 1n, inheriting: 2n ** 64n - 1n });
    assert.equal((await guest.status(all)).base, FILE_RIGHTS);
  });

  onEach("remembers the flags that were asked for", async (guest) => {
    for (const flags of [FD_FLAGS.append, FD_FLAGS.sync | FD_FLAGS.append, FD_FLAGS.dsync | FD_FLAGS.nonblock, 31]) {
      const file = await guest.open(ROOT, "file", { create: true, flags });
      assert.equal((await guest.status(file)).flags, flags);
    }
    await fails("EINVAL", guest.open(ROOT, "file", { flags: 32 }));
  });

  onEach("needs the right to sync for flags that do", async (guest) => {
    const folder = await guest.openDirectory(ROOT, ".");
    const all = DIRECTORY_RIGHTS | FILE_RIGHTS;
    await guest.call("fd_fdstat_set_rights", folder, DIRECTORY_RIGHTS, all & ~rights("fd_sync", "fd_datasync"));
    const request = { create: true, rights: ["fd_write"], inheriting: 0n } as const;
    for (const flags of [FD_FLAGS.sync, FD_FLAGS.rsync, FD_FLAGS.dsync]) {
      await fails("ENOTCAPABLE", guest.open(folder, "file", { ...request, flags }));
    }
    await guest.open(folder, "file", { ...request, flags: FD_FLAGS.append });
  });

  onEach("refuses flags that do not exist", async (guest) => {
    const path = guest.text("file");
    assert.equal(await guest.errno("path_open", ROOT, 2, ...path, 0, 0n, 0n, 0, 64), "EINVAL");
    assert.equal(await guest.errno("path_open", ROOT, 0, ...path, 16, 0n, 0n, 0, 64), "EINVAL");
    assert.equal(await guest.errno("path_open", ROOT, 0, ...path, 0, 0n, 0n, 64, 64), "EINVAL");
  });
});

describe("path_open() of directories", () => {
  onEach("opens the directory itself", async (guest) => {
    const { base, inheriting } = await guest.status(ROOT);
    const { inode } = await guest.stat(ROOT);
    for (const directory of [true, false]) {
      for (const [wanted, given] of [
        [base, inheriting],
        [0n, 0n],
        [rights("fd_read"), 0n],
      ] as const) {
        const same = await guest.open(ROOT, ".", { directory, rights: wanted, inheriting: given });
        const status = await guest.status(same);
        assert.equal(status.type, FILE_TYPE.directory);
        assert.equal(status.base, wanted & DIRECTORY_RIGHTS);
        if (wanted === base) assert.equal((await guest.stat(same)).inode, inode);
      }
    }
    await guest.open(ROOT, ".", { rights: 0n, flags: FD_FLAGS.nonblock });
  });

  onEach("refuses to open one for writing", async (guest) => {
    await guest.makeDirectory(ROOT, "folder");
    for (const path of [".", "folder", "folder/", "folder/."]) {
      for (const directory of [true, false]) {
        const request = { directory, rights: ["fd_read", "fd_write"] } as const;
        await fails("EISDIR", guest.open(ROOT, path, request));
        if (!directory) await fails("EISDIR", guest.open(ROOT, path, { create: true, rights: 0n }));
        await fails("EISDIR", guest.open(ROOT, path, { directory, truncate: true, rights: 0n }));
      }
    }
  });

  onEach("says when it is none", async (guest) => {
    await guest.create(ROOT, "file");
    await fails("ENOTDIR", guest.openDirectory(ROOT, "file"));
    for (const path of ["file/", "file///", "file/.", "file/..", "file/x", "file/x/y"]) {
      await fails("ENOTDIR", guest.open(ROOT, path));
    }
    await fails("ENOTDIR", guest.open(ROOT, "file/x", { create: true }));
    await fails("EINVAL", guest.open(ROOT, "new", { create: true, directory: true }));
    assert.deepEqual(await guest.names(ROOT), ["file"]);
  });

  onEach("starts from directories only", async (guest) => {
    const file = await guest.open(ROOT, "file", { create: true });
    await fails("ENOTDIR", guest.open(file, "x", { create: true }));
    await fails("EBADF", guest.open(99, "x"));
    await fails("EBADF", guest.open(-1, "x"));
  });

  onEach("makes no file where a slash says it is a directory", async (guest) => {
    await fails(["EISDIR", "ENOENT"], guest.open(ROOT, "new/", { create: true }));
    assert.deepEqual(await guest.names(ROOT), []);
  });

  onEach("goes on after the directory was renamed and removed", async (guest) => {
    await guest.makeDirectory(ROOT, "folder");
    const folder = await guest.openDirectory(ROOT, "folder");
    const before = await guest.names(folder);
    assert.deepEqual(before, []);
    await guest.removeDirectory(ROOT, "folder");
    await fails("ENOENT", guest.open(folder, "file", { create: true }));
    await fails("ENOENT", guest.makeDirectory(folder, "x"));
    await guest.close(folder);
  });
});

describe("path_open() of symbolic links", () => {
  onEach("refuses one at the end unless it is to be followed", async (guest) => {
    await guest.create(ROOT, "file", "abc");
    await guest.makeDirectory(ROOT, "folder");
    for (const target of ["file", "folder", "nowhere", "link"]) {
      await guest.symlink(target, ROOT, "link");
      await fails("ELOOP", guest.open(ROOT, "link"));
      await fails(["ELOOP", "ENOTDIR"], guest.openDirectory(ROOT, "link"));
      await fails("ELOOP", guest.open(ROOT, "link", { create: true }));
      await guest.unlink(ROOT, "link");
    }
  });

  onEach("follows it", async (guest) => {
    await guest.makeDirectory(ROOT, "folder");
    await guest.create(ROOT, "folder/file", "abc");
    await guest.symlink("folder", ROOT, "to-folder");
    await guest.symlink("../to-folder/./file", ROOT, "folder/to-file");
    const file = await guest.open(ROOT, "to-folder/to-file", { follow: true, rights: READ_WRITE });
    assert.equal(await guest.read(file, 9), "abc");
    const folder = await guest.open(ROOT, "to-folder", { follow: true, directory: true });
    assert.deepEqual(await guest.names(folder), ["file", "to-file"]);
    await fails("ENOTDIR", guest.open(ROOT, "folder/to-file", { follow: true, directory: true }));
  });

  onEach("follows those on the way, and before a slash, whatever it is told of the end", async (guest) => {
    await guest.makeDirectory(ROOT, "folder");
    await guest.create(ROOT, "folder/file", "abc");
    await guest.symlink("folder", ROOT, "link");
    assert.equal(await guest.content(ROOT, "link/file"), "abc");
    assert.equal((await guest.status(await guest.open(ROOT, "link/", { rights: 0n }))).type, FILE_TYPE.directory);
    assert.equal((await guest.status(await guest.open(ROOT, "link/.", { rights: 0n }))).type, FILE_TYPE.directory);
    await guest.symlink("folder/file", ROOT, "file-link");
    await fails("ENOTDIR", guest.open(ROOT, "file-link/"));
  });

  onEach("makes what one that leads nowhere says", async (guest) => {
    await guest.makeDirectory(ROOT, "folder");
    await guest.symlink("folder/made", ROOT, "link");
    await guest.close(await guest.open(ROOT, "link", { follow: true, create: true }));
    assert.deepEqual(await guest.names(await guest.openDirectory(ROOT, "folder")), ["made"]);
    await guest.symlink("missing/made", ROOT, "other");
    await fails("ENOENT", guest.open(ROOT, "other", { follow: true, create: true }));
    await guest.symlink("folder/slash/", ROOT, "slash");
    await fails("EISDIR", guest.open(ROOT, "slash", { follow: true, create: true }));
  });

  onEach("gives up after forty", async (guest) => {
    await guest.create(ROOT, "link.0", "abc");
    for (let index = 1; index <= 41; index++) await guest.symlink(`link.${index - 1}`, ROOT, `link.${index}`);
    await guest.open(ROOT, "link.40", { follow: true });
    await fails("ELOOP", guest.open(ROOT, "link.41", { follow: true }));
    await guest.symlink("around/x", ROOT, "around");
    await fails("ELOOP", guest.open(ROOT, "around", { follow: true }));
    await fails("ELOOP", guest.open(ROOT, "around/y"));
  });

  onEach("goes up from where a link has led", async (guest) => {
    await guest.makeDirectory(ROOT, "a");
    await guest.makeDirectory(ROOT, "a/b");
    await guest.create(ROOT, "a/here", "in a");
    await guest.symlink("a/b", ROOT, "link");
    assert.equal(await guest.content(ROOT, "link/../here"), "in a");
  });
});

describe("Descriptors", () => {
  onEach("have an end", async (guest, kind) => {
    const { root, remove } = await kind.make();
    const limited = new GuestCalls({ preopens: { "/": root }, maxOpenFiles: 5 });
    const open: number[] = [];
    await fails(
      "EMFILE",
      (async () => {
        for (;;) open.push(await limited.open(ROOT, "file", { create: true }));
      })(),
    );
    assert.ok(open.length > 0 && open.length < 5);
    await fails("EMFILE", limited.open(ROOT, "not-made", { create: true }));
    await fails("ENOENT", limited.statPath(ROOT, "not-made"));
    await limited.close(open[0]!);
    assert.equal(await limited.open(ROOT, "file"), open[0]);
    await limited.wasi.close();
    remove();
    assert.ok(guest);
  });
});
