/** The directories that a program is given. */
import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { MemoryFileSystem, WASI } from "stackful/wasi";
import { ROOT, temporaryDirectory } from "./file-systems.ts";
import { GuestCalls, fails } from "./guest-calls.ts";

describe("The option preopens", () => {
  it("takes paths, directories, and either with what may be done", async () => {
    const folder = temporaryDirectory();
    const { root } = new MemoryFileSystem({ file: "in memory" });
    writeFileSync(path.join(folder.path, "file"), "on disk");
    const guest = new GuestCalls({
      preopens: {
        "/disk": folder.path,
        "/memory": root,
        "/fixed": { directory: folder.path, readOnly: true },
        "/other": { directory: root },
      },
    });
    const contents = [];
    for (const fd of [3, 4, 5, 6]) contents.push(await guest.content(fd, "file"));
    assert.deepEqual(contents, ["on disk", "in memory", "on disk", "in memory"]);
    await guest.makeDirectory(3, "new");
    await guest.makeDirectory(6, "new");
    await fails("EROFS", guest.makeDirectory(5, "other"));
    await fails("EXDEV", guest.rename(3, "file", 4, "moved"));
    await fails("EXDEV", guest.link(4, "file", 3, "linked"));
    await guest.wasi.close();
    folder.remove();
  });

  it("opens paths at once", () => {
    assert.throws(() => new WASI({ preopens: { "/": "/no/such/directory" } }), {
      name: "Error",
      message: /^Cannot open directory for "\/": ENOENT/,
      code: "ENOENT",
    });
    const folder = temporaryDirectory();
    const file = path.join(folder.path, "file");
    writeFileSync(file, "");
    assert.throws(() => new WASI({ preopens: { "/": folder.path, "/file": file } }), { code: "ENOTDIR" });
    folder.remove();
  });

  it("means the directory, not its path", { skip: process.platform !== "linux" }, async () => {
    const folder = temporaryDirectory();
    const guest = new GuestCalls({ preopens: { "/": folder.path } });
    await guest.makeDirectory(ROOT, "a");
    const inner = new GuestCalls({ preopens: { "/": path.join(folder.path, "a") } });
    await guest.rename(ROOT, "a", ROOT, "b");
    await inner.create(ROOT, "file", "abc");
    assert.equal(await guest.content(ROOT, "b/file"), "abc");
    await Promise.all([guest.wasi.close(), inner.wasi.close()]);
    folder.remove();
  });

  it("refuses what is neither", () => {
    for (const wrong of [undefined, null, 1, {}, { kind: "file" }, { directory: 1 }]) {
      assert.throws(() => new WASI({ preopens: { "/": wrong as never } }), {
        name: "TypeError",
        message: 'Cannot make WASI: preopens["/"] is neither a path nor a directory',
      });
    }
    const { root } = new MemoryFileSystem();
    assert.throws(() => new WASI({ preopens: { "/": { directory: root, readonly: true } as never } }), {
      name: "TypeError",
      message: 'Cannot make WASI: preopens["/"]: unknown option readonly, expected directory, readOnly',
    });
    for (const name of ["", "a\0b"]) assert.throws(() => new WASI({ preopens: { [name]: root } }), TypeError);
  });
});

describe("The option maxOpenFiles", () => {
  it("has room for what the program starts with", () => {
    const { root } = new MemoryFileSystem();
    const preopens = { "/a": root, "/b": root };
    for (const maxOpenFiles of [4, 0, -1, Number.NaN, "5" as never]) {
      assert.throws(() => new WASI({ preopens, maxOpenFiles }), {
        name: "RangeError",
        message: /^Cannot make WASI: maxOpenFiles must be a number from 5,/,
      });
    }
    assert.doesNotThrow(() => new WASI({ preopens, maxOpenFiles: 5 }));
    assert.doesNotThrow(() => new WASI({ preopens, maxOpenFiles: Infinity }));
  });

  it("leaves nothing open when it has not", { skip: process.platform !== "linux" }, () => {
    const open = (): number => readdirSync("/proc/self/fd").length;
    const before = open();
    assert.throws(() => new WASI({ preopens: { "/a": "/", "/b": "/" }, maxOpenFiles: 4 }), RangeError);
    assert.equal(open(), before);
  });

  it("is not in the way of a program that starts with more than usual", () => {
    const { root } = new MemoryFileSystem();
    const preopens = Object.fromEntries(Array.from({ length: 2000 }, (_, number) => [`/${number}`, root]));
    assert.doesNotThrow(() => new WASI({ preopens }));
  });
});
