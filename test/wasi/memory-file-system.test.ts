/** What files in memory are for whoever made them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HostError, MemoryFileSystem, SymbolicLink } from "stackful/wasi";
import type { MemoryTree } from "stackful/wasi";
import { ROOT } from "./file-systems.ts";
import { GuestCalls, READ_WRITE, fails } from "./guest-calls.ts";

describe("MemoryFileSystem", () => {
  it("gives back what it was given, and what programs have made of it", async () => {
    const files = new MemoryFileSystem({
      "text.txt": "größe",
      "bytes.bin": Uint8Array.of(1, 2, 3),
      empty: {},
      folder: { nested: { file: "deep" }, link: new SymbolicLink("nested/file") },
    });
    assert.equal(files.text("text.txt"), "größe");
    assert.deepEqual(files.bytes("/bytes.bin"), Uint8Array.of(1, 2, 3));
    assert.equal(files.usedBytes, 7 + 3 + 4 + "nested/file".length);
    const guest = new GuestCalls({ preopens: { "/": files.root } });
    await guest.unlink(ROOT, "text.txt");
    await guest.create(ROOT, "empty/new", "made");
    assert.deepEqual(files.tree(), {
      "bytes.bin": Uint8Array.of(1, 2, 3),
      empty: { new: new TextEncoder().encode("made") },
      folder: { nested: { file: new TextEncoder().encode("deep") }, link: new SymbolicLink("nested/file") },
    });
  });

  it("has directories inside each other as deep as one likes", () => {
    const deep = 50_000;
    let tree: MemoryTree = { end: "text" };
    for (let level = 0; level < deep; level++) tree = { d: tree };
    let found = new MemoryFileSystem(tree, { maxEntries: 2 * deep }).tree();
    for (let level = 0; level < deep; level++) found = found["d"] as MemoryTree;
    assert.deepEqual(Object.keys(found), ["end"]);
  });

  it("keeps files in the order in which they were made, also with names that objects have", () => {
    const tree = Object.fromEntries([
      ["b", "1"],
      ["__proto__", "2"],
      ["a", { toString: "3" }],
    ]);
    const found = new MemoryFileSystem(tree).tree();
    assert.deepEqual(Object.keys(found), ["b", "__proto__", "a"]);
    assert.equal(Object.getPrototypeOf(found), Object.prototype);
    assert.deepEqual(Object.keys(found["a"] as MemoryTree), ["toString"]);
  });

  it("copies bytes it is given, and gives copies", () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const files = new MemoryFileSystem({ file: bytes });
    bytes[0] = 9;
    files.bytes("file")[1] = 9;
    assert.deepEqual(files.bytes("file"), Uint8Array.of(1, 2, 3));
  });

  it("shows programs what is written to it meanwhile", async () => {
    const files = new MemoryFileSystem({ folder: {} });
    const guest = new GuestCalls({ preopens: { "/": files.root } });
    files.write("folder/file", "one");
    assert.equal(await guest.content(ROOT, "folder/file"), "one");
    const open = await guest.open(ROOT, "folder/file", { rights: READ_WRITE });
    files.write("folder/file", "two, longer");
    assert.equal(await guest.readAt(open, 100, 0n), "two, longer");
    files.write("folder/file", new Uint8Array(2));
    assert.equal(await guest.readAt(open, 100, 0n), "\0\0");
  });

  it("can be given to several programs", async () => {
    const { root } = new MemoryFileSystem();
    const [one, other] = [new GuestCalls({ preopens: { "/a": root } }), new GuestCalls({ preopens: { "/b": root } })];
    await one.create(ROOT, "file", "shared");
    await one.wasi.close();
    assert.equal(await other.content(ROOT, "file"), "shared");
  });

  it("says what it cannot find", () => {
    const files = new MemoryFileSystem({ file: "", folder: {} });
    const code = (call: () => unknown): string => {
      try {
        call();
      } catch (error) {
        if (error instanceof HostError) return error.code;
      }
      return "none";
    };
    assert.equal(
      code(() => files.text("missing")),
      "ENOENT",
    );
    assert.equal(
      code(() => files.text("file/x")),
      "ENOTDIR",
    );
    assert.equal(
      code(() => files.text("folder")),
      "EISDIR",
    );
    assert.equal(
      code(() => files.write("folder", "x")),
      "EISDIR",
    );
    assert.equal(
      code(() => files.write("missing/x", "x")),
      "ENOENT",
    );
    assert.equal(
      code(() => files.write("file/x", "x")),
      "ENOTDIR",
    );
    assert.equal(
      code(() => files.write("/", "x")),
      "EISDIR",
    );
  });

  it("refuses names that no file can have", () => {
    for (const name of ["", ".", "..", "a/b", "a\0b"]) {
      assert.throws(() => new MemoryFileSystem({ [name]: "" }), TypeError);
      assert.throws(() => new MemoryFileSystem({ folder: { [name]: {} } }), TypeError);
    }
    assert.doesNotThrow(() => new MemoryFileSystem({ ["__proto__"]: "x", constructor: "y" }));
  });
});

describe("A full MemoryFileSystem", () => {
  const makeFull = (): { guest: GuestCalls; files: MemoryFileSystem } => {
    const files = new MemoryFileSystem({ old: "0123456789" }, { maxBytes: 16 });
    return { files, guest: new GuestCalls({ preopens: { "/": files.root } }) };
  };

  it("takes what there is room for, then nothing", async () => {
    const { guest, files } = makeFull();
    const file = await guest.open(ROOT, "new", { create: true });
    assert.equal(await guest.write(file, "abcdefgh"), 6);
    await fails("ENOSPC", guest.write(file, "x"));
    assert.equal(files.text("new"), "abcdef");
    assert.equal(await guest.writeAt(file, "XY", 4n), 2);
    await fails("ENOSPC", guest.writeAt(file, "x", 100n));
    await fails("ENOSPC", guest.call("fd_filestat_set_size", file, 7n));
    await fails("ENOSPC", guest.call("fd_allocate", file, 0n, 2n ** 50n));
    assert.equal(files.text("new"), "abcdXY");
    assert.equal(files.usedBytes, 16);
  });

  it("has room again when files are gone, and nobody has them open", async () => {
    const { guest, files } = makeFull();
    const old = await guest.open(ROOT, "old", { rights: READ_WRITE });
    await guest.unlink(ROOT, "old");
    assert.equal(files.usedBytes, 10);
    assert.equal(await guest.read(old, 4), "0123");
    await guest.close(old);
    assert.equal(files.usedBytes, 0);
    const file = await guest.open(ROOT, "new", { create: true });
    assert.equal(await guest.write(file, "0123456789abcdef"), 16);
    await guest.call("fd_filestat_set_size", file, 2n);
    assert.equal(files.usedBytes, 2);
    await guest.create(ROOT, "other", "0123456789");
    await guest.rename(ROOT, "other", ROOT, "new");
    assert.equal(files.usedBytes, 12);
    await guest.close(file);
    assert.equal(files.usedBytes, 10);
  });

  it("cannot be made fuller at once", () => {
    assert.throws(() => new MemoryFileSystem({ file: "12345" }, { maxBytes: 4 }), { code: "ENOSPC" });
  });

  it("counts names and the texts of links, not only bytes of files", async () => {
    const files = new MemoryFileSystem({ file: "" }, { maxBytes: 10, maxEntries: 4 });
    const guest = new GuestCalls({ preopens: { "/": files.root } });
    await guest.symlink("123456", ROOT, "link");
    await fails("ENOSPC", guest.symlink("12345", ROOT, "long"));
    await fails("EEXIST", guest.symlink("1234", ROOT, "link"));
    assert.equal(files.usedBytes, 6);
    await guest.makeDirectory(ROOT, "folder");
    await guest.link(ROOT, "file", ROOT, "folder/again");
    await fails("ENOSPC", guest.link(ROOT, "file", ROOT, "more"));
    await fails("ENOSPC", guest.makeDirectory(ROOT, "more"));
    await fails("ENOSPC", guest.symlink("x", ROOT, "more"));
    await fails("ENOSPC", guest.open(ROOT, "more", { create: true }));
    assert.throws(() => files.write("more", "xyz"), { code: "ENOSPC" });
    assert.equal(files.usedBytes, 6);
    // What changes places needs no more of them.
    await guest.rename(ROOT, "link", ROOT, "folder/link");
    await guest.rename(ROOT, "folder/link", ROOT, "folder/again");
    await guest.unlink(ROOT, "folder/again");
    assert.equal(files.usedBytes, 0);
    await guest.removeDirectory(ROOT, "folder");
    for (const name of ["one", "two", "three"]) await guest.create(ROOT, name);
    await fails("ENOSPC", guest.makeDirectory(ROOT, "more"));
  });

  it("is given all that its host writes, or nothing", () => {
    const { files } = makeFull();
    assert.throws(() => files.write("old", "0123456789abcdefg"), { code: "ENOSPC" });
    assert.throws(() => files.write("new", "1234567"), { code: "ENOSPC" });
    assert.equal(files.text("old"), "0123456789");
    assert.throws(() => files.text("new"), { code: "ENOENT" });
    assert.throws(() => files.write("n".repeat(256), "1"), { code: "ENAMETOOLONG" });
    files.write("old", "0123456789abcdef");
    assert.equal(files.text("old"), "0123456789abcdef");
  });

  it("shows zeros where a file was cut off and grew again", async () => {
    const { guest, files } = makeFull();
    const file = await guest.open(ROOT, "old");
    await guest.call("fd_filestat_set_size", file, 3n);
    await guest.call("fd_filestat_set_size", file, 6n);
    assert.equal(files.text("old"), "012\0\0\0");
  });
});
