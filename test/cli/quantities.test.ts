import assert from "node:assert/strict";
import { homedir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { cacheDirectory } from "#src/cli/cache-directory";
import { parseAddress, parseBytes, parseCount, parseDuration } from "#src/cli/quantities";
import { traceLine } from "#src/cli/trace-line";

describe("parseDuration()", () => {
  it("reads times with their units", () => {
    const times = ["5s", "5", "200ms", "1.5m", "2h", "1min", "0.25s"];
    assert.deepEqual(
      times.map((time) => parseDuration(time, "--timeout <time>")),
      [5000, 5000, 200, 90_000, 7_200_000, 60_000, 250],
    );
    for (const wrong of ["", "s", "5d", "-1s", "1e3", "0", "0ms"]) {
      assert.throws(() => parseDuration(wrong, "--timeout <time>"), { name: "UsageError" });
    }
  });
});

describe("parseBytes()", () => {
  it("reads sizes with their units", () => {
    const sizes = ["0", "65536", "64K", "64k", "64KiB", "64KB", "1.5M", "2G", "1T", "10b"];
    assert.deepEqual(
      sizes.map((size) => parseBytes(size, "--max-memory <size>")),
      [0, 65_536, 65_536, 65_536, 65_536, 65_536, 1_572_864, 2 ** 31, 2 ** 40, 10],
    );
    for (const wrong of ["", "M", "-1", "1X", "1e3"]) {
      assert.throws(() => parseBytes(wrong, "--max-memory <size>"), { name: "UsageError" });
    }
  });
});

describe("parseCount()", () => {
  it("reads whole numbers", () => {
    const counts = ["1", "1000", "1_000", "1,000,000"];
    assert.deepEqual(
      counts.map((count) => parseCount(count, "--copies <n>")),
      [1, 1000, 1000, 1_000_000],
    );
    assert.equal(parseCount("0", "--fuel <n>", 0), 0);
    for (const wrong of ["0", "-1", "1.5", "", "_1", "99999999999999999999"]) {
      assert.throws(() => parseCount(wrong, "--copies <n>"), { name: "UsageError" });
    }
  });
});

describe("parseAddress()", () => {
  it("reads names and addresses of both kinds", () => {
    const addresses = ["127.0.0.1:8080", "localhost:0", "[::1]:443"];
    assert.deepEqual(
      addresses.map((address) => parseAddress(address, "--listen <host:port>")),
      [
        { host: "127.0.0.1", port: 8080 },
        { host: "localhost", port: 0 },
        { host: "::1", port: 443 },
      ],
    );
    for (const wrong of ["", ":80", "a", "a:", "a:b", "::1:80", "a:65536", "a:*"]) {
      assert.throws(() => parseAddress(wrong, "--listen <host:port>"), { name: "UsageError" });
    }
  });
});

describe("cacheDirectory()", () => {
  it("is where one says, or where the platform has caches", () => {
    const home = homedir();
    assert.equal(cacheDirectory({ STACKFUL_CACHE_DIR: "/c", XDG_CACHE_HOME: "/x" }, "linux"), "/c");
    assert.equal(cacheDirectory({ XDG_CACHE_HOME: "/x" }, "linux"), path.join("/x", "stackful"));
    assert.equal(cacheDirectory({ XDG_CACHE_HOME: "relative" }, "linux"), path.join(home, ".cache", "stackful"));
    assert.equal(cacheDirectory({}, "darwin"), path.join(home, "Library", "Caches", "stackful"));
    assert.equal(cacheDirectory({ LOCALAPPDATA: "/l" }, "win32"), path.join("/l", "stackful", "cache"));
  });
});

describe("traceLine()", () => {
  const ready = { errno: "ESUCCESS", suspendedMs: 0 };

  it("has arguments, results and errors", () => {
    const open = { name: "path_open", args: { fd: 3, path: 'a"b', rights: 255n } };
    assert.equal(
      traceLine({ ...open, ...ready, results: { fd: 4 } }),
      'path_open(fd: 3, path: "a\\"b", rights: 0xff) -> fd: 4\n',
    );
    assert.equal(
      traceLine({ ...open, results: {}, errno: "ENOENT", suspendedMs: 12.34 }, "[7] "),
      '[7] path_open(fd: 3, path: "a\\"b", rights: 0xff) -> ENOENT <suspended 12.3 ms>\n',
    );
  });

  it("shortens long paths, and says what cannot be read", () => {
    const line = traceLine({ name: "path_open", args: { path: "x".repeat(1000), iovs: null }, ...ready, results: {} });
    assert.ok(line.length < 300);
    assert.match(line, /x…", iovs: bad pointer\) -> ok\n$/);
  });

  it("has buffers, rights and what is waited for", () => {
    const args = {
      iovs: { buffers: 2, bytes: 10 },
      buf: { buffers: 1, bytes: 5 },
      fs_rights_base: 255n,
      in: [
        { type: "clock", clock: "monotonic", timeout: 2_500_000n, isAbsolute: false },
        { type: "fd_read", fd: 0 },
      ],
    } as const;
    assert.equal(
      traceLine({ name: "call", args, results: {}, errno: undefined, suspendedMs: 0 }),
      "call(iovs: 10 bytes in 2 buffers, buf: 5 bytes, fs_rights_base: 0xff, in: [monotonic in 2.5 ms, fd_read 0]) does not return\n",
    );
  });
});
