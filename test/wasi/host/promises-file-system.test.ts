/** Objects with the shape of fs.promises, or a part of it. */
import assert from "node:assert/strict";
import { promises, symlinkSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { openPromisesDirectory } from "stackful/wasi";
import type { PromisesFileSystem } from "stackful/wasi";
import { ROOT, temporaryDirectory } from "../file-systems.ts";
import { GuestCalls, fails } from "../guest-calls.ts";

async function withFiles(
  overrides: (fs: typeof promises) => Partial<PromisesFileSystem>,
  test: (guest: GuestCalls, folder: string) => Promise<void>,
): Promise<void> {
  const folder = temporaryDirectory();
  const fs = { ...promises, ...overrides(promises) } as PromisesFileSystem;
  const guest = new GuestCalls({ preopens: { "/": await openPromisesDirectory(fs, folder.path) } });
  try {
    await test(guest, folder.path);
  } finally {
    await guest.wasi.close();
    folder.remove();
  }
}

describe("openPromisesDirectory()", () => {
  it("says when there is no such directory", async () => {
    await assert.rejects(openPromisesDirectory(promises, "/no/such/directory"), { code: "ENOENT" });
    await assert.rejects(openPromisesDirectory(promises, "/dev/null"), { code: "ENOTDIR" });
  });

  it("does with what there is, and refuses the rest", async () => {
    const missing = ["lstat", "symlink", "readlink", "link", "lutimes", "utimes", "mkdir", "rmdir", "unlink", "rename"];
    const nothing = Object.fromEntries(missing.map((name) => [name, undefined]));
    await withFiles(
      () => nothing,
      async (guest) => {
        await guest.create(ROOT, "file", "abc");
        assert.equal(await guest.content(ROOT, "file"), "abc");
        assert.deepEqual(await guest.names(ROOT), ["file"]);
        await fails("EINVAL", guest.readLink(ROOT, "file"));
        for (const call of [
          async () => guest.symlink("x", ROOT, "link"),
          async () => guest.link(ROOT, "file", ROOT, "link"),
          async () => guest.makeDirectory(ROOT, "folder"),
          async () => guest.removeDirectory(ROOT, "folder"),
          async () => guest.unlink(ROOT, "file"),
          async () => guest.rename(ROOT, "file", ROOT, "other"),
          async () => guest.setPathTimes(ROOT, "file", { flags: 10 }),
        ]) {
          await fails("ENOTSUP", call());
        }
      },
    );
  });

  it("opens what somebody else has made a moment earlier", async () => {
    let looks = 0;
    await withFiles(
      (fs) => ({
        lstat: async (path: string) => {
          if (looks++ > 0) return fs.lstat(path, { bigint: true });
          throw Object.assign(new Error("not yet"), { code: "ENOENT" });
        },
      }),
      async (guest, folder) => {
        writeFileSync(`${folder}/file`, "theirs");
        const file = await guest.open(ROOT, "file", { create: true });
        assert.equal(await guest.read(file, 100), "theirs");
        looks = 0;
        await fails("EEXIST", guest.open(ROOT, "file", { create: true, exclusive: true }));
      },
    );
  });

  it("notices that a name was swapped before it was opened", async () => {
    await withFiles(
      (fs) => ({
        open: async (path: string, flags: string) => {
          if (flags === "r") await fs.rm(path);
          if (flags === "r") symlinkSync("/etc/passwd", path);
          return fs.open(path, flags);
        },
      }),
      async (guest, folder) => {
        writeFileSync(`${folder}/file`, "own");
        await fails("ELOOP", guest.open(ROOT, "file", { rights: ["fd_read"] }));
      },
    );
  });

  it("tells a program an input or output error for an error that says nothing", async () => {
    await withFiles(
      () => ({ readdir: async () => Promise.reject(new Error("broken")) }),
      async (guest) => fails("EIO", guest.readDirectory(ROOT, 100)),
    );
  });
});
