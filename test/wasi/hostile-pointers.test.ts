/** Pointers and lengths that lead out of the memory: an error number, and nothing has happened. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryFileSystem } from "stackful/wasi";
import { GuestCalls } from "./guest-calls.ts";

const PAGE = 65_536;
const END = 2 * PAGE;
/** At, across and beyond the end of a memory of two pages; at the end of what 32 bits can say. */
const BAD = [END - 3, END, END + 1, 2 ** 31 - 4, 2 ** 31, 2 ** 32 - 8, 2 ** 32 - 4, 2 ** 32 - 1];

function makeGuest(): { guest: GuestCalls; files: MemoryFileSystem } {
  const files = new MemoryFileSystem({ file: "content", folder: {} });
  const memory = new WebAssembly.Memory({ initial: 2 });
  return { guest: new GuestCalls({ preopens: { "/": files.root } }, memory), files };
}

/** Calls in which the pointer `at` is read or written, at least eight bytes of it. */
function calls(guest: GuestCalls, file: number, at: number): [string, ...(number | bigint)[]][] {
  const name = guest.text("file");
  const [vectors, count] = guest.vectors([2000, 4]);
  const [badVector] = guest.vectors([at, 8]);
  return [
    ["fd_read", file, vectors, count, at],
    ["fd_read", file, at, 1, 64],
    ["fd_read", file, badVector, 1, 64],
    ["fd_write", file, vectors, count, at],
    ["fd_write", file, at, 1, 64],
    ["fd_write", file, badVector, 1, 64],
    ["fd_pread", file, vectors, count, 0n, at],
    ["fd_pwrite", file, badVector, 1, 0n, 64],
    ["fd_pwrite", file, vectors, count, 0n, at],
    ["fd_seek", file, 1n, 0, at],
    ["fd_tell", file, at],
    ["fd_fdstat_get", file, at],
    ["fd_filestat_get", file, at],
    ["fd_prestat_get", 3, at],
    ["fd_readdir", 3, at, 8, 0n, 64],
    ["fd_readdir", 3, 2000, 8, 0n, at],
    ["path_open", 3, 0, at, 8, 1, 0n, 0n, 0, 64],
    ["path_open", 3, 0, ...guest.text("new"), 1, 0n, 0n, 0, at],
    ["path_filestat_get", 3, 0, ...name, at],
    ["path_filestat_get", 3, 0, at, 8, 64],
    ["path_filestat_set_times", 3, 0, at, 8, 0n, 0n, 10],
    ["path_create_directory", 3, at, 8],
    ["path_remove_directory", 3, at, 8],
    ["path_unlink_file", 3, at, 8],
    ["path_readlink", 3, at, 8, 2000, 8, 64],
    ["path_readlink", 3, ...name, at, 8, 64],
    ["path_readlink", 3, ...name, 2000, 8, at],
    ["path_symlink", at, 8, 3, ...guest.text("new")],
    ["path_symlink", ...name, 3, at, 8],
    ["path_link", 3, 0, at, 8, 3, ...guest.text("new")],
    ["path_link", 3, 0, ...name, 3, at, 8],
    ["path_rename", 3, at, 8, 3, ...guest.text("new")],
    ["path_rename", 3, ...name, 3, at, 8],
  ];
}

describe("A pointer", () => {
  for (const at of BAD) {
    it(`to ${at} of ${END} is a fault, and nothing has happened`, async () => {
      const { guest, files } = makeGuest();
      const file = await guest.open(3, "file");
      const before = files.tree();
      for (const [name, ...params] of calls(guest, file, at)) {
        assert.equal(await guest.errno(name, ...params), "EFAULT", `${name}(${params.join(", ")})`);
        assert.equal(await guest.tell(file), 0n, name);
      }
      assert.deepEqual(files.tree(), before);
      assert.equal(await guest.open(3, "file"), file === 0 ? 1 : file + 1, "no descriptor was left behind");
    });
  }

  it("may lead to the last bytes of the memory", async () => {
    const { guest } = makeGuest();
    const file = await guest.open(3, "file");
    guest.view.setUint32(END - 8, END - 12, true);
    guest.view.setUint32(END - 4, 4, true);
    await guest.call("fd_read", file, END - 8, 1, 64);
    assert.equal(new TextDecoder().decode(guest.bytes.slice(END - 12, END - 8)), "cont");
    await guest.call("fd_filestat_get", file, END - 64);
    await guest.call("fd_read", file, 0, 0, END - 4);
  });

  it("of nothing may be anywhere in the memory", async () => {
    const { guest } = makeGuest();
    const file = await guest.open(3, "file");
    await guest.call("fd_read", file, ...guest.vectors([END, 0]), 64);
    assert.equal(await guest.errno("fd_read", file, ...guest.vectors([END + 1, 0]), 64), "EFAULT");
    assert.equal(await guest.errno("path_open", 3, 0, END + 1, 0, 0, 0n, 0n, 0, 64), "EFAULT");
  });
});

describe("A number of buffers", () => {
  it("has a limit", async () => {
    const { guest } = makeGuest();
    const file = await guest.open(3, "file");
    guest.bytes.fill(0);
    await guest.call("fd_read", file, 4096, 1024, 64);
    for (const count of [1025, 2 ** 20, 2 ** 29, 2 ** 31, 2 ** 32 - 1]) {
      for (const name of ["fd_read", "fd_write"]) {
        assert.equal(await guest.errno(name, file, 4096, count, 64), "EINVAL");
      }
      assert.equal(await guest.errno("fd_pread", file, 4096, count, 0n, 64), "EINVAL");
    }
  });

  it("may name the same bytes again and again", async () => {
    const { guest, files } = makeGuest();
    const file = await guest.open(3, "folder/new", { create: true });
    const everything = Array.from({ length: 1024 }, () => [0, PAGE] as const);
    guest.bytes.fill(0);
    const [vectors, count] = guest.vectors(...everything);
    await guest.call("fd_write", file, vectors, count, 64);
    assert.equal(guest.view.getUint32(64, true), 1024 * PAGE);
    assert.equal(files.usedBytes, 1024 * PAGE + "content".length);
  });
});

describe("A memory of 4 GiB", () => {
  it(
    "can be used to its end",
    { skip: makeHuge() === undefined ? "this engine has no such memory here" : false },
    async () => {
      const memory = makeHuge()!;
      const files = new MemoryFileSystem({ file: "content" }, { maxBytes: 1_000_000 });
      const guest = new GuestCalls({ preopens: { "/": files.root } }, memory);
      const file = await guest.open(3, "file");
      const end = 2 ** 32;
      guest.view.setUint32(end - 8, end - 15, true);
      guest.view.setUint32(end - 4, 7, true);
      await guest.call("fd_read", file, end - 8, 1, 64);
      assert.equal(new TextDecoder().decode(guest.bytes.slice(end - 15, end - 8)), "content");
      assert.equal(await guest.errno("fd_read", file, end - 7, 1, 64), "EFAULT");
      assert.equal(await guest.errno("fd_read", file, end - 8, 2, 64), "EFAULT");
      assert.equal(await guest.errno("fd_read", file, ...guest.vectors([end - 4, 5]), 64), "EFAULT");
      // More than a call can say that it has written is not written.
      const big = await guest.open(3, "big", { create: true });
      const [vectors, count] = guest.vectors([0, 2 ** 32 - 1], [0, 2 ** 32 - 1]);
      assert.equal(await guest.errno("fd_write", big, vectors, count, 64), "ESUCCESS");
      assert.equal(guest.view.getUint32(64, true), 1_000_000 - "content".length);
    },
  );
});

function makeHuge(): WebAssembly.Memory | undefined {
  try {
    return new WebAssembly.Memory({ initial: 65_536 });
  } catch {
    return undefined;
  }
}
