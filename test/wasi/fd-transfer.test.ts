/** Reading and writing files, and the place where that happens. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { FD_FLAGS, WHENCE } from "#src/wasi/preview1/layout";
import { ROOT, onEach } from "./file-systems.ts";
import { READ_WRITE, fails } from "./guest-calls.ts";
import type { GuestCalls } from "./guest-calls.ts";

const REFUSED = ["EBADF", "ENOTCAPABLE"];

async function makeFile(guest: GuestCalls, content = "0123456789", flags = 0): Promise<number> {
  const rights = [...READ_WRITE, "fd_fdstat_set_flags", "fd_allocate", "fd_sync", "fd_datasync"] as const;
  const file = await guest.open(ROOT, "file", { create: true, exclusive: true, rights, flags });
  if (content !== "") await guest.write(file, content);
  return file;
}

describe("fd_write() and fd_read()", () => {
  onEach("move the place in the file", async (guest) => {
    const file = await makeFile(guest, "");
    assert.equal(await guest.write(file, "0123456789"), 10);
    assert.equal(await guest.tell(file), 10n);
    assert.equal(await guest.seek(file, 0n, WHENCE.set), 0n);
    assert.equal(await guest.read(file, 4), "0123");
    assert.equal(await guest.read(file, 100), "456789");
    assert.equal(await guest.read(file, 100), "");
    assert.equal(await guest.tell(file), 10n);
  });

  onEach("see each other at once through two descriptors", async (guest) => {
    const reader = await guest.open(ROOT, "file", { create: true, rights: ["fd_read"] });
    const writer = await guest.open(ROOT, "file", { rights: ["fd_write"] });
    await guest.write(writer, "x");
    assert.equal(await guest.read(reader, 1), "x");
    await fails(REFUSED, guest.write(reader, "x"));
    await fails(REFUSED, guest.read(writer, 1));
  });

  onEach("take several buffers, empty ones among them", async (guest) => {
    const file = await makeFile(guest, "");
    guest.bytes.set(new TextEncoder().encode("abcdef"), 4000);
    const vectors = guest.vectors([4004, 2], [4000, 0], [4000, 4], [0, 0]);
    await guest.call("fd_write", file, ...vectors, 64);
    assert.equal(guest.view.getUint32(64, true), 6);
    assert.equal(await guest.readAt(file, 10, 0n), "efabcd");

    guest.bytes.fill(0, 5000, 6000);
    await guest.call("fd_pread", file, ...guest.vectors([5000, 1], [5100, 0], [5200, 3], [5300, 9]), 0n, 64);
    assert.equal(guest.view.getUint32(64, true), 6);
    const text = (at: number): string => new TextDecoder().decode(guest.bytes.slice(at, at + 4)).replaceAll("\0", "");
    assert.deepEqual([5000, 5100, 5200, 5300].map(text), ["e", "", "fab", "cd"]);
  });

  onEach("move nothing when there are no buffers", async (guest) => {
    const file = await makeFile(guest);
    assert.equal(await guest.write(file, ""), 0);
    assert.equal(await guest.read(file, 0), "");
    await guest.call("fd_read", file, 0, 0, 64);
    assert.equal(guest.view.getUint32(64, true), 0);
    assert.equal(await guest.tell(file), 10n);
    assert.equal((await guest.stat(file)).size, 10n);
  });

  onEach("append wherever the place in the file is", async (guest) => {
    const file = await makeFile(guest, "", FD_FLAGS.append);
    await guest.write(file, "first,");
    await guest.seek(file, 0n, WHENCE.set);
    await guest.write(file, "second");
    assert.equal(await guest.tell(file), 12n);
    assert.equal((await guest.status(file)).flags, FD_FLAGS.append);
    await guest.call("fd_fdstat_set_flags", file, 0);
    await guest.seek(file, 0n, WHENCE.set);
    await guest.write(file, "FIRST");
    await guest.seek(file, 0n, WHENCE.set);
    assert.equal(await guest.read(file, 100), "FIRST,second");
  });

  onEach("append to what another descriptor has appended", async (guest) => {
    const one = await makeFile(guest, "", FD_FLAGS.append);
    const other = await guest.open(ROOT, "file", { rights: READ_WRITE, flags: FD_FLAGS.append });
    for (const text of ["a", "b", "c"]) {
      await guest.write(one, text);
      await guest.write(other, text.toUpperCase());
    }
    assert.equal(await guest.content(ROOT, "file"), "aAbBcC");
    await guest.seek(one, -2n, WHENCE.cur);
    assert.equal(await guest.read(one, 9), "cC");
  });

  onEach("append at the same time through two descriptors, and overwrite nothing", async (guest) => {
    const files = [
      await makeFile(guest, "", FD_FLAGS.append),
      await guest.open(ROOT, "file", { rights: READ_WRITE, flags: FD_FLAGS.append }),
    ];
    guest.bytes.set(new TextEncoder().encode("abcdefgh"), 4000);
    const vectors = Array.from("abcdefgh", (_, index) => guest.vectors([4000 + index, 1]));
    await Promise.all(
      vectors.map(async (vector, index) => guest.call("fd_write", files[index % 2]!, ...vector, 64 + 4 * index)),
    );
    assert.equal(
      Array.from(await guest.content(ROOT, "file"))
        .toSorted()
        .join(""),
      "abcdefgh",
    );
  });

  for (const name of ["dsync", "rsync", "sync"] as const) {
    onEach(`write with ${name}`, async (guest) => {
      const file = await makeFile(guest, "", FD_FLAGS[name]);
      assert.equal((await guest.status(file)).flags, FD_FLAGS[name]);
      await guest.write(file, "on the disk");
      await guest.writeAt(file, "ON", 0n);
      assert.equal(await guest.readAt(file, 100, 0n), "ON the disk");
    });
  }

  onEach("move more than a megabyte in one call", async (guest) => {
    const bytes = Uint8Array.from({ length: 3_000_001 }, (_, index) => (index * 7) % 251);
    guest.memory.grow(100);
    const file = await makeFile(guest, "");
    guest.bytes.set(bytes, 100_000);
    await guest.call("fd_write", file, ...guest.vectors([100_000, 1_500_000], [1_600_000, 1_500_001]), 64);
    assert.equal(guest.view.getUint32(64, true), 3_000_001);
    guest.bytes.fill(0, 100_000, 3_200_000);
    await guest.call("fd_pread", file, ...guest.vectors([100_000, 1_000_001], [1_100_001, 2_500_000]), 0n, 64);
    assert.equal(guest.view.getUint32(64, true), 3_000_001);
    assert.deepEqual(guest.bytes.slice(100_000, 3_100_001), bytes);
  });

  onEach("take turns when several are under way", async (guest) => {
    const file = await makeFile(guest, "");
    guest.bytes.set(new TextEncoder().encode("abcdefgh"), 4000);
    const vectors = Array.from("abcdefgh", (_, index) => guest.vectors([4000 + index, 1]));
    await Promise.all(vectors.map(async (vector, index) => guest.call("fd_write", file, ...vector, 64 + 4 * index)));
    assert.equal(await guest.content(ROOT, "file"), "abcdefgh");
  });
});

describe("fd_pread() and fd_pwrite()", () => {
  onEach("leave the place in the file where it is", async (guest) => {
    const file = await makeFile(guest, "");
    assert.equal(await guest.writeAt(file, "0123", 0n), 4);
    assert.equal(await guest.writeAt(file, "xy", 2n), 2);
    assert.equal(await guest.readAt(file, 10, 1n), "1xy");
    assert.equal(await guest.readAt(file, 10, 4n), "");
    assert.equal(await guest.readAt(file, 10, 400n), "");
    assert.equal(await guest.tell(file), 0n);
  });

  onEach("fill what lies between with zeros", async (guest) => {
    const file = await makeFile(guest, "ab");
    await guest.writeAt(file, "c", 5n);
    assert.equal(await guest.readAt(file, 10, 0n), "ab\0\0\0c");
  });

  onEach("write where they are told to, in a file that is open for appending, too", async (guest) => {
    const file = await makeFile(guest, "0123", FD_FLAGS.append);
    assert.equal(await guest.writeAt(file, "xy", 0n), 2);
    assert.equal(await guest.tell(file), 4n);
    assert.equal(await guest.content(ROOT, "file"), "xy23");
  });

  onEach("need the right to seek", async (guest) => {
    await guest.create(ROOT, "file", "abc");
    const file = await guest.open(ROOT, "file", { rights: ["fd_read", "fd_write"] });
    await fails("ENOTCAPABLE", guest.readAt(file, 1, 0n));
    await fails("ENOTCAPABLE", guest.writeAt(file, "x", 0n));
    assert.equal(await guest.read(file, 3), "abc");
  });

  onEach("refuse places that no file has", async (guest) => {
    const file = await makeFile(guest);
    for (const offset of [2n ** 63n, 2n ** 64n - 1n, 2n ** 60n]) {
      await fails(["EINVAL", "EFBIG"], guest.writeAt(file, "x", offset));
      await fails("EINVAL", guest.readAt(file, 1, offset));
    }
    assert.equal((await guest.stat(file)).size, 10n);
  });
});

describe("fd_seek() and fd_tell()", () => {
  onEach("go where they are told to, beyond the end as well", async (guest) => {
    const file = await makeFile(guest);
    assert.equal(await guest.seek(file, -5n, WHENCE.cur), 5n);
    assert.equal(await guest.read(file, 2), "56");
    assert.equal(await guest.seek(file, -1n, WHENCE.end), 9n);
    assert.equal(await guest.seek(file, 1000n, WHENCE.cur), 1009n);
    assert.equal(await guest.read(file, 1), "");
    assert.equal(await guest.tell(file), 1009n);
    assert.equal((await guest.stat(file)).size, 10n);
  });

  onEach("refuse to go before the beginning, and stay where they are", async (guest) => {
    const file = await makeFile(guest);
    await fails("EINVAL", guest.seek(file, -11n, WHENCE.cur));
    await fails("EINVAL", guest.seek(file, -1n, WHENCE.set));
    await fails("EINVAL", guest.seek(file, -11n, WHENCE.end));
    await fails("EINVAL", guest.seek(file, -(2n ** 63n), WHENCE.cur));
    await fails("EINVAL", guest.seek(file, 0n, 3));
    await fails("EOVERFLOW", guest.seek(file, 2n ** 63n - 1n, WHENCE.cur));
    assert.equal(await guest.tell(file), 10n);
  });

  onEach("need their rights: asking is allowed to who may ask, or go", async (guest) => {
    await guest.create(ROOT, "file", "abc");
    const asking = await guest.open(ROOT, "file", { rights: ["fd_tell"] });
    assert.equal(await guest.tell(asking), 0n);
    assert.equal(await guest.seek(asking, 0n, WHENCE.cur), 0n);
    await fails("ENOTCAPABLE", guest.seek(asking, 0n, WHENCE.set));
    const going = await guest.open(ROOT, "file", { rights: ["fd_seek"] });
    assert.equal(await guest.seek(going, 2n, WHENCE.set), 2n);
    assert.equal(await guest.tell(going), 2n);
    const neither = await guest.open(ROOT, "file", { rights: ["fd_read"] });
    await fails("ENOTCAPABLE", guest.tell(neither));
    await fails("ENOTCAPABLE", guest.seek(neither, 0n, WHENCE.cur));
  });
});

describe("fd_allocate(), fd_filestat_set_size() and fd_advise()", () => {
  onEach("make a file longer, never shorter", async (guest) => {
    const file = await makeFile(guest, "");
    const sizeAfter = async (offset: bigint, length: bigint): Promise<bigint> => {
      await guest.call("fd_allocate", file, offset, length);
      return (await guest.stat(file)).size;
    };
    assert.equal(await sizeAfter(0n, 100n), 100n);
    assert.equal(await sizeAfter(10n, 10n), 100n);
    assert.equal(await sizeAfter(90n, 20n), 110n);
    assert.equal(await guest.errno("fd_allocate", file, 0n, 0n), "EINVAL");
    assert.equal(await guest.errno("fd_allocate", file, 2n ** 62n, 2n ** 62n), "EFBIG");
    assert.equal(await guest.errno("fd_allocate", file, -1n, 10n), "EINVAL");
  });

  onEach("set the size, which cuts off or adds zeros", async (guest) => {
    const file = await guest.open(ROOT, "file", { create: true, rights: [...READ_WRITE, "fd_filestat_set_size"] });
    await guest.write(file, "0123456789");
    await guest.call("fd_filestat_set_size", file, 4n);
    assert.equal(await guest.tell(file), 10n);
    await guest.call("fd_filestat_set_size", file, 6n);
    assert.equal(await guest.readAt(file, 100, 0n), "0123\0\0");
    assert.equal(await guest.errno("fd_filestat_set_size", file, 2n ** 64n - 1n), "EFBIG");
    const reader = await guest.open(ROOT, "file", { rights: ["fd_read"] });
    assert.equal(await guest.errno("fd_filestat_set_size", reader, 0n), "ENOTCAPABLE");
  });

  onEach("take any advice that there is", async (guest) => {
    const file = await guest.open(ROOT, "file", { create: true, rights: [...READ_WRITE, "fd_advise"] });
    for (let advice = 0; advice <= 5; advice++) await guest.call("fd_advise", file, 10n, 50n, advice);
    assert.equal(await guest.errno("fd_advise", file, 0n, 0n, 6), "EINVAL");
    assert.equal(await guest.errno("fd_advise", file, 0n, 0n, -1), "EINVAL");
    assert.equal(await guest.errno("fd_advise", file, -1n, 0n, 0), "EINVAL");
    assert.equal((await guest.stat(file)).size, 0n);
  });

  onEach("wait until everything is on the disk", async (guest) => {
    const file = await makeFile(guest);
    await guest.call("fd_sync", file);
    await guest.call("fd_datasync", file);
    await guest.call("fd_sync", ROOT);
  });
});
