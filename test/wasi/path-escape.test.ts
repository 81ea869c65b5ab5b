/** Whatever a path says, it does not lead out of the directory it begins in. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { ROOT, onEach } from "./file-systems.ts";
import { fails } from "./guest-calls.ts";
import type { GuestCalls } from "./guest-calls.ts";

/** Every call that takes a path, with that path. */
function callsWith(guest: GuestCalls, fd: number, path: string): [string, Promise<unknown>][] {
  const calls: [string, () => Promise<unknown>][] = [
    ["path_open", async () => guest.open(fd, path)],
    ["path_open, following", async () => guest.open(fd, path, { follow: true })],
    ["path_open, making", async () => guest.open(fd, path, { create: true })],
    ["path_open, following and making", async () => guest.open(fd, path, { create: true, follow: true })],
    ["path_open of a directory", async () => guest.open(fd, path, { directory: true, follow: true })],
    ["path_filestat_get", async () => guest.statPath(fd, path)],
    ["path_filestat_get, following", async () => guest.statPath(fd, path, true)],
    ["path_filestat_set_times", async () => guest.setPathTimes(fd, path, { flags: 10, follow: true })],
    ["path_create_directory", async () => guest.makeDirectory(fd, path)],
    ["path_remove_directory", async () => guest.removeDirectory(fd, path)],
    ["path_unlink_file", async () => guest.unlink(fd, path)],
    ["path_readlink", async () => guest.readLink(fd, path)],
    ["path_symlink", async () => guest.symlink("x", fd, path)],
    ["path_link from", async () => guest.link(fd, path, ROOT, "stolen", true)],
    ["path_link to", async () => guest.link(ROOT, "own", fd, path)],
    ["path_rename from", async () => guest.rename(fd, path, ROOT, "stolen")],
    ["path_rename to", async () => guest.rename(ROOT, "own", fd, path)],
  ];
  // One after the other: they share the memory for their parameters.
  let last: Promise<unknown> = Promise.resolve();
  return calls.map(([name, call]) => {
    const result = last.then(call);
    last = result.catch(() => undefined);
    return [name, result];
  });
}

/** A directory `inside` below ROOT that must not be left, and things beside it that must not be touched. */
async function makeInside(guest: GuestCalls): Promise<number> {
  await guest.create(ROOT, "secret", "secret");
  await guest.create(ROOT, "own", "own");
  await guest.makeDirectory(ROOT, "outside");
  await guest.makeDirectory(ROOT, "inside");
  await guest.makeDirectory(ROOT, "inside/a");
  await guest.makeDirectory(ROOT, "inside/a/b");
  return guest.openDirectory(ROOT, "inside");
}

async function assertUntouched(guest: GuestCalls): Promise<void> {
  assert.deepEqual(await guest.names(ROOT), ["inside", "outside", "own", "secret"]);
  assert.deepEqual(await guest.names(await guest.openDirectory(ROOT, "outside")), []);
  assert.equal(await guest.content(ROOT, "secret"), "secret");
}

describe("A path", () => {
  const OUTWARD = [
    "..",
    "../",
    "../secret",
    "../outside/new",
    "./../secret",
    ".//..///secret",
    "a/../../secret",
    "a/b/../../../secret",
    "a/b/../../../inside/a",
    "a/./b/.././../../secret",
    "/",
    "/etc/passwd",
    "//etc/passwd",
    "/inside/a",
    "/../secret",
  ];
  for (const path of OUTWARD) {
    onEach(`cannot lead out: ${path}`, async (guest) => {
      const inside = await makeInside(guest);
      for (const [name, call] of callsWith(guest, inside, path)) {
        await fails("ENOTCAPABLE", call).catch((error: unknown) => {
          throw new Error(`${name}: ${String(error)}`);
        });
      }
      await assertUntouched(guest);
    });
  }

  onEach("may go up as far as it has gone down", async (guest) => {
    const inside = await makeInside(guest);
    await guest.create(inside, "file", "abc");
    assert.equal(await guest.content(inside, "a/.//b/../../a/b/../b///./../../file"), "abc");
    assert.equal((await guest.statPath(inside, "a/..")).inode, (await guest.stat(inside)).inode);
  });

  onEach("goes up only where it could go down", async (guest) => {
    const inside = await makeInside(guest);
    await guest.create(inside, "file");
    await fails("ENOENT", guest.statPath(inside, "missing/../a"));
    await fails("ENOTDIR", guest.statPath(inside, "file/../a"));
  });
});

describe("A symbolic link", () => {
  const OUTWARD = ["..", "../secret", "../outside", "a/../../secret", "./..", "a/b/up/up"];
  for (const says of OUTWARD) {
    onEach(`cannot lead out: ${says}`, async (guest) => {
      const inside = await makeInside(guest);
      await guest.symlink("../../..", inside, "a/b/up");
      await guest.symlink(says, inside, "link");
      const refused = ["ENOTCAPABLE", "ELOOP"];
      await fails(refused, guest.open(inside, "link", { follow: true }));
      await fails(refused, guest.open(inside, "link", { follow: true, create: true }));
      await fails(refused, guest.open(inside, "link", { follow: true, truncate: true, rights: ["fd_write"] }));
      await fails("ENOTCAPABLE", guest.statPath(inside, "link", true));
      await fails("ENOTCAPABLE", guest.setPathTimes(inside, "link", { flags: 10, follow: true }));
      await fails("ENOTCAPABLE", guest.link(inside, "link", ROOT, "stolen", true));
      for (const path of ["link/", "link/.", "link/secret", "link/../secret"]) {
        for (const [name, call] of callsWith(guest, inside, path)) {
          // What makes or removes a name does not follow the link in it.
          if (/path_(create|remove|unlink|rename|link to|symlink)/.test(name) && path === "link/") {
            await assert.rejects(call);
          } else {
            await fails(["ENOTCAPABLE", "EISDIR"], call);
          }
        }
      }
      await guest.unlink(inside, "link");
      await assertUntouched(guest);
    });
  }

  onEach("cannot be made to lead to an absolute path", async (guest) => {
    for (const says of ["/", "/etc/passwd", "//", "/a"]) await fails("ENOTCAPABLE", guest.symlink(says, ROOT, "link"));
    assert.deepEqual(await guest.names(ROOT), []);
  });

  onEach("may go up within the directory", async (guest) => {
    const inside = await makeInside(guest);
    await guest.create(inside, "file", "abc");
    await guest.symlink("../../file", inside, "a/b/link");
    const file = await guest.open(inside, "a/b/link", { follow: true, rights: ["fd_read"] });
    assert.equal(await guest.read(file, 9), "abc");
    // From where the path begins, not from the directory that the program has started with.
    const a = await guest.openDirectory(inside, "a");
    await fails("ENOTCAPABLE", guest.open(a, "b/link", { follow: true }));
  });
});

describe("A name", () => {
  onEach("has no null character in it", async (guest) => {
    await guest.create(ROOT, "file");
    for (const path of ["file\0", "\0", "file\0x", "a\0/../../x"]) {
      await fails("EINVAL", guest.open(ROOT, path));
      await fails("EINVAL", guest.makeDirectory(ROOT, path));
      await fails("EINVAL", guest.rename(ROOT, "file", ROOT, path));
    }
    assert.deepEqual(await guest.names(ROOT), ["file"]);
  });

  onEach("is UTF-8, in its shortest form", async (guest) => {
    const wrong = [
      [0xff],
      [0xc0, 0xae, 0xc0, 0xae, 0x2f], // `../` in two bytes for one
      [0xc0, 0xaf], // `/` likewise
      [0xe0, 0x80, 0xaf],
      [0xed, 0xa0, 0x80], // half a surrogate pair
      [0x66, 0xc3],
    ];
    for (const bytes of wrong) {
      await fails("EILSEQ", guest.open(ROOT, Uint8Array.from(bytes), { create: true }));
    }
    assert.deepEqual(await guest.names(ROOT), []);
  });

  onEach("may look odd, and stays what it is", async (guest) => {
    const names = [
      "...",
      ".hidden",
      "..x",
      " ",
      "a\\b",
      "C:",
      "~",
      "%2e%2e",
      "a\nb",
      "\u202e",
      "\u00e9",
      "e\u0301",
      "\uFEFFbom",
      "𝄞",
      "-",
      "*",
    ];
    for (const name of names) await guest.create(ROOT, name, name);
    assert.deepEqual(await guest.names(ROOT), names.toSorted());
    for (const name of names) {
      assert.equal(await guest.content(ROOT, name), name);
      await guest.unlink(ROOT, name);
    }
  });

  onEach("is not too long", async (guest) => {
    await guest.create(ROOT, "n".repeat(255));
    await fails("ENAMETOOLONG", guest.open(ROOT, "n".repeat(256), { create: true }));
    await fails("ENAMETOOLONG", guest.open(ROOT, "ö".repeat(128), { create: true }));
    await fails("ENAMETOOLONG", guest.open(ROOT, "./".repeat(2049), { rights: 0n }));
    await guest.open(ROOT, "./".repeat(2048), { rights: 0n });
  });

  onEach("is not empty", async (guest) => {
    for (const [name, call] of callsWith(guest, ROOT, ""))
      await fails("ENOENT", call).catch((error: unknown) => {
        throw new Error(`${name}: ${String(error)}`);
      });
  });
});
