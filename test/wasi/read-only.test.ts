/** Directories in which nothing can be changed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryFileSystem, readOnly } from "stackful/wasi";
import { FST_FLAGS } from "#src/wasi/preview1/layout";
import { FILE_SYSTEMS, ROOT } from "./file-systems.ts";
import { GuestCalls, READ_WRITE, fails } from "./guest-calls.ts";

/** Where the same directory can be written to. */
const WRITABLE = 4;

for (const kind of FILE_SYSTEMS) {
  describe(`A read-only directory (${kind.name})`, () => {
    const onBoth = (title: string, test: (guest: GuestCalls) => Promise<void>): void => {
      it(title, async () => {
        const { root, remove } = await kind.make();
        const guest = new GuestCalls({ preopens: { "/": { directory: root, readOnly: true }, "/w": root } });
        await guest.makeDirectory(WRITABLE, "folder");
        await guest.create(WRITABLE, "folder/file", "content");
        await guest.symlink("folder/file", WRITABLE, "link");
        await test(guest);
        await guest.wasi.close();
        remove();
      });
    };

    onBoth("can be read", async (guest) => {
      assert.deepEqual(await guest.names(ROOT), ["folder", "link"]);
      assert.equal(await guest.content(ROOT, "folder/file"), "content");
      const file = await guest.open(ROOT, "link", { follow: true, create: true, rights: ["fd_read"] });
      assert.equal(await guest.read(file, 100), "content");
      assert.equal(await guest.readLink(ROOT, "link"), "folder/file");
      assert.equal((await guest.statPath(ROOT, "link", true)).size, 7n);
      const folder = await guest.openDirectory(ROOT, "folder");
      assert.deepEqual(await guest.names(folder), ["file"]);
      await guest.call("fd_sync", folder);
    });

    onBoth("cannot be changed", async (guest) => {
      const folder = await guest.openDirectory(ROOT, "folder");
      for (const [fd, prefix] of [
        [ROOT, "folder/"],
        [folder, ""],
      ] as const) {
        const refused = async (call: Promise<unknown>): Promise<void> => fails("EROFS", call);
        await refused(guest.open(fd, `${prefix}file`, { rights: READ_WRITE }));
        await refused(guest.open(fd, `${prefix}file`, { truncate: true, rights: 0n }));
        await refused(guest.open(fd, `${prefix}new`, { create: true, rights: ["fd_read"] }));
        await refused(guest.makeDirectory(fd, `${prefix}new`));
        await refused(guest.symlink("x", fd, `${prefix}new`));
        await refused(guest.unlink(fd, `${prefix}file`));
        await refused(guest.removeDirectory(fd, `${prefix}file`));
        await refused(guest.rename(fd, `${prefix}file`, fd, `${prefix}new`));
        await refused(guest.rename(fd, `${prefix}file`, WRITABLE, "stolen"));
        await refused(guest.link(fd, `${prefix}file`, fd, `${prefix}new`));
        await refused(guest.link(fd, `${prefix}file`, WRITABLE, "stolen"));
        await refused(guest.setPathTimes(fd, `${prefix}file`, { flags: FST_FLAGS.mtimNow }));
        await refused(guest.setTimes(fd, 0n, 0n, FST_FLAGS.mtimNow));
        await fails(["EXDEV", "EROFS"], guest.rename(WRITABLE, "link", fd, `${prefix}new`));
        await fails(["EXDEV", "EROFS"], guest.link(WRITABLE, "link", fd, `${prefix}new`));
      }
      const file = await guest.open(folder, "file", { rights: ["fd_read", "fd_filestat_set_times"] });
      await fails("EROFS", guest.setTimes(file, 0n, 0n, FST_FLAGS.mtimNow));
      assert.deepEqual(await guest.names(WRITABLE), ["folder", "link"]);
      assert.deepEqual(await guest.names(folder), ["file"]);
      assert.equal(await guest.content(WRITABLE, "folder/file"), "content");
    });

    onBoth("answers as it would otherwise where nothing would change", async (guest) => {
      await fails("ENOENT", guest.open(ROOT, "missing", { rights: READ_WRITE }));
      await fails("EEXIST", guest.open(ROOT, "folder", { create: true, exclusive: true, rights: 0n }));
      await fails("EISDIR", guest.open(ROOT, "folder", { rights: READ_WRITE }));
      await fails("ELOOP", guest.open(ROOT, "link", { rights: READ_WRITE }));
      await fails("EISDIR", guest.open(ROOT, "folder", { create: true, rights: 0n }));
    });
  });
}

describe("readOnly()", () => {
  it("wraps once", () => {
    const directory = readOnly(new MemoryFileSystem().root);
    assert.equal(readOnly(directory), directory);
  });
});
