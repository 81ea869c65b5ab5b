/** Calls that nobody waits for any more when their file system answers. */
import assert from "node:assert/strict";
import { promises } from "node:fs";
import { describe, it } from "node:test";
import { openPromisesDirectory } from "stackful/wasi";
import type { PromisesHandle } from "stackful/wasi";
import { ROOT, temporaryDirectory } from "../file-systems.ts";
import { GuestCalls } from "../guest-calls.ts";

describe("A call that is cancelled while its file system works", () => {
  it("leaves the program's memory alone, and nothing open", async () => {
    const folder = temporaryDirectory();
    await promises.writeFile(`${folder.path}/file`, "content");
    await promises.symlink("file", `${folder.path}/link`);
    let handles = 0;
    const counting = {
      ...promises,
      async open(path: string, flags: string) {
        const handle = await promises.open(path, flags);
        handles++;
        const close = async (): Promise<void> => {
          handles--;
          await handle.close();
        };
        return {
          read: handle.read.bind(handle),
          write: handle.write.bind(handle),
          stat: handle.stat.bind(handle),
          truncate: handle.truncate.bind(handle),
          close,
        } as PromisesHandle;
      },
    };
    const guest = new GuestCalls({ preopens: { "/": await openPromisesDirectory(counting, folder.path) } });
    const file = await guest.open(ROOT, "file");
    assert.equal(handles, 1);

    const cancelled = new AbortController();
    guest.signal = cancelled.signal;
    const name = guest.text("file");
    const link = guest.text("link");
    const vectors = guest.vectors([5000, 100]);
    const calls: [string, ...(number | bigint)[]][] = [
      ["fd_read", file, ...vectors, 5200],
      ["fd_pread", file, ...vectors, 0n, 5200],
      ["fd_write", file, ...vectors, 5200],
      ["fd_pwrite", file, ...vectors, 0n, 5200],
      ["fd_seek", file, 0n, 2, 5200],
      ["fd_filestat_get", file, 5200],
      ["fd_readdir", ROOT, 5000, 500, 0n, 5200],
      ["path_open", ROOT, 0, ...name, 0, 2n, 0n, 0, 5200],
      ["path_filestat_get", ROOT, 0, ...name, 5200],
      ["path_readlink", ROOT, ...link, 5000, 100, 5200],
    ];
    guest.bytes.fill(0xaa, 5000, 6000);
    const pending = calls.map(async ([call, ...params]) => guest.errno(call, ...params));
    cancelled.abort();
    assert.deepEqual(new Set(await Promise.all(pending)), new Set(["ECANCELED"]));
    assert.ok(guest.bytes.slice(5000, 6000).every((byte) => byte === 0xaa));
    assert.equal(handles, 1);
    await guest.wasi.close();
    assert.equal(handles, 0);
    folder.remove();
  });
});
