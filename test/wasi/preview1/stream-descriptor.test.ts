/** Reading and writing what comes and goes in order. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HostError } from "stackful/wasi";
import { ERRNO } from "#src/wasi/preview1/errno";
import { FD_FLAGS, FILE_TYPE } from "#src/wasi/preview1/layout";
import { GuestCalls, fails } from "../guest-calls.ts";
import { ManualInput, ManualOutput } from "../manual-streams.ts";

const AT = 20_000;
const MIB = 1 << 20;
const RESULT = 64;

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

/** `fd_read` of descriptor 0 into buffers of these lengths, one after the other; at once where something is there. */
function startRead(guest: GuestCalls, ...lengths: number[]): number | Promise<number> {
  let at = AT;
  const vectors = lengths.map((length) => {
    const place = [at, length] as const;
    at += length;
    return place;
  });
  return guest.start("fd_read", 0, ...guest.vectors(...vectors), RESULT);
}

function whatWasRead(guest: GuestCalls): string {
  return new TextDecoder().decode(guest.bytes.slice(AT, AT + guest.view.getUint32(RESULT, true)));
}

function program(streams: object): GuestCalls {
  return new GuestCalls({ stdin: "ignore", stdout: "ignore", stderr: "ignore", ...streams });
}

describe("fd_read() of a stream", () => {
  it("answers at once with what is there", () => {
    const input = new ManualInput();
    const guest = program({ stdin: input });
    input.push("hello");
    assert.equal(startRead(guest, 2, 2), 0);
    assert.equal(whatWasRead(guest), "hell");
    assert.equal(startRead(guest, 10), 0);
    assert.equal(whatWasRead(guest), "o");
  });

  it("waits until something comes, also into several buffers", async () => {
    const input = new ManualInput();
    const guest = program({ stdin: input });
    const call = startRead(guest, 1, 0, 2, 5);
    input.push("hello");
    assert.equal(await call, 0);
    assert.equal(whatWasRead(guest), "hello");
  });

  it("answers 0 at the end, again and again", async () => {
    const input = new ManualInput();
    const guest = program({ stdin: input });
    const call = startRead(guest, 1);
    input.push(null);
    for (const answer of [call, startRead(guest, 1), startRead(guest, 1)]) {
      assert.equal(await answer, 0);
      assert.equal(whatWasRead(guest), "");
    }
    assert.equal(input.reads, 1);
  });

  it("asks for nothing where there is no room", () => {
    const input = new ManualInput();
    const guest = program({ stdin: input });
    assert.equal(startRead(guest), 0);
    assert.equal(startRead(guest, 0), 0);
    assert.equal(input.reads, 0);
  });

  it("passes over pieces that are empty", async () => {
    const chunks = [new Uint8Array(0), new Uint8Array(0), new TextEncoder().encode("x")];
    assert.equal(await program({ stdin: chunks }).read(0, 10), "x");
    const later = async function* later(): AsyncGenerator<Uint8Array> {
      yield* chunks;
    };
    assert.equal(await program({ stdin: later() }).read(0, 10), "x");
  });

  it("gives each piece to one of several that wait", async () => {
    const input = new ManualInput();
    const guest = program({ stdin: input });
    const first = guest.read(0, 10);
    const second = guest.read(0, 10);
    input.push("one");
    await first;
    input.push("two");
    await second;
    assert.equal(input.reads, 2);
  });

  it("answers an error once", async () => {
    const input = new ManualInput();
    const guest = program({ stdin: input });
    input.push(new HostError("ECONNRESET"));
    await fails("ECONNRESET", guest.read(0, 1));
    input.push(new Error("Something else"));
    await fails("EIO", guest.read(0, 1));
    const late = guest.read(0, 1);
    input.push(new HostError("ETIMEDOUT"));
    await fails("ETIMEDOUT", late);
    input.push("on");
    assert.equal(await guest.read(0, 10), "on");
  });

  it("does not wait if it is not to, and reads ahead meanwhile", async () => {
    const input = new ManualInput();
    const guest = program({ stdin: input });
    await guest.call("fd_fdstat_set_flags", 0, FD_FLAGS.nonblock);
    assert.equal((await guest.status(0)).flags, FD_FLAGS.nonblock);
    await fails("EAGAIN", guest.read(0, 1));
    await fails("EAGAIN", guest.read(0, 1));
    input.push("x");
    await turn();
    assert.equal(await guest.read(0, 1), "x");
    assert.equal(input.reads, 1);
  });

  it("lets happen what a program asks for without waiting", async () => {
    const guest = program({
      stdin: (async function* late() {
        await new Promise((done) => setTimeout(done, 20));
        yield "late";
      })(),
    });
    await guest.call("fd_fdstat_set_flags", 0, FD_FLAGS.nonblock);
    // A program that asks in a loop: only where an answer is a promise can anything else go on.
    for (let tries = 0; ; tries++) {
      assert.ok(tries < 10_000_000);
      const answer = startRead(guest, 10);
      const errno = typeof answer === "number" ? answer : await answer;
      if (errno === 0) break;
    }
    assert.equal(whatWasRead(guest), "late");
  });

  it("loses nothing when a call is given up", async () => {
    const input = new ManualInput();
    const guest = program({ stdin: input });
    const controller = new AbortController();
    guest.signal = controller.signal;
    void startRead(guest, 10);
    controller.abort();
    assert.deepEqual(input.waits, { begun: 1, ended: 1 });
    const before = guest.bytes.slice();
    input.push("kept");
    await turn();
    assert.deepEqual(guest.bytes.slice(), before);
    guest.signal = new AbortController().signal;
    assert.equal(await guest.read(0, 10), "kept");
    assert.equal(input.reads, 1);
  });

  it("ends with EBADF when another call closes it", async () => {
    const input = new ManualInput();
    const guest = program({ stdin: input });
    const call = guest.read(0, 1);
    await guest.close(0);
    await fails("EBADF", call);
    assert.ok(input.isClosed);
    await fails("EBADF", guest.read(0, 1));
  });

  it("reads into a memory that grows meanwhile", async () => {
    const input = new ManualInput();
    const guest = program({ stdin: input });
    const call = startRead(guest, 5);
    guest.memory.grow(1);
    input.push("hello");
    assert.equal(await call, 0);
    assert.equal(whatWasRead(guest), "hello");
  });
});

describe("fd_write() to a stream", () => {
  it("returns when there is room for more", async () => {
    const output = new ManualOutput();
    const guest = program({ stdout: output });
    const first = guest.write(1, "one");
    const second = guest.write(1, "two");
    await turn();
    assert.equal(output.text, "one");
    output.take();
    assert.equal(await first, 3);
    await turn();
    assert.equal(output.text, "onetwo");
    output.take();
    assert.equal(await second, 3);
  });

  it("takes what the program has written, not what is there later", async () => {
    const output: Uint8Array[] = [];
    const guest = program({ stdout: output });
    await guest.write(1, "one");
    guest.bytes.fill(0);
    assert.equal(new TextDecoder().decode(output[0]), "one");
  });

  it("tells of a closed pipe", async () => {
    const output = new ManualOutput();
    const guest = program({ stdout: output });
    const call = guest.write(1, "one");
    await turn();
    output.fail(new HostError("EPIPE"));
    await fails("EPIPE", call);
    const broken = program({
      stdout: () => {
        throw new HostError("EPIPE");
      },
    });
    await fails("EPIPE", broken.write(1, "x"));
  });

  it("does not wait if it is not to, and tells the next call how it went", async () => {
    const output = new ManualOutput();
    const guest = program({ stdout: output });
    await guest.call("fd_fdstat_set_flags", 1, FD_FLAGS.nonblock);
    assert.equal(await guest.write(1, "one"), 3);
    await fails("EAGAIN", guest.write(1, "two"));
    output.take();
    await turn();
    assert.equal(await guest.write(1, "two"), 3);
    output.fail(new HostError("EPIPE"));
    await turn();
    await fails("EPIPE", guest.write(1, "three"));
    assert.equal(await guest.write(1, "four"), 4);
    assert.equal(output.text, "onetwofour");
  });

  it("writes first what a stream takes from the memory itself, then a copy of the others", async () => {
    const taken: string[] = [];
    const decoder = new TextDecoder();
    const stdout = {
      writeNow: ([first]: readonly Uint8Array[]) => {
        taken.push(`now ${decoder.decode(first!.subarray(0, 2))}`);
        return 2;
      },
      write: (bytes: Uint8Array) => void taken.push(decoder.decode(bytes)),
    };
    const guest = program({ stdout });
    const [one, two] = [guest.text("abcd"), guest.text("efg")];
    await guest.call("fd_write", 1, ...guest.vectors(one, two), RESULT);
    assert.deepEqual(taken, ["now ab", "cdefg"]);
    assert.equal(guest.view.getUint32(RESULT, true), 7);
  });
});

/** `fd_write` of descriptor 1 of so many mebibytes, which are the same ones again and again. */
function startBigWrite(guest: GuestCalls, mebibytes: number): number | Promise<number> {
  guest.bytes.fill(7, MIB);
  const pieces = Array.from({ length: mebibytes }, () => [MIB, MIB] as const);
  return guest.start("fd_write", 1, ...guest.vectors(...pieces), RESULT);
}

describe("A large fd_write()", () => {
  const MAX_PIECE = MIB;

  it("is given to a stream piece by piece, each when there is room for it", async () => {
    const pieces: number[] = [];
    let takeOne = (): void => {};
    const stdout = (bytes: Uint8Array): Promise<void> => {
      assert.ok(bytes.every((byte) => byte === 7));
      pieces.push(bytes.length);
      return new Promise((resolve) => (takeOne = resolve));
    };
    const guest = program({ stdout });
    const call = startBigWrite(guest, 5);
    for (let taken = 1; taken <= 5; taken++) {
      assert.equal(pieces.length, taken);
      takeOne();
      await turn();
    }
    assert.equal(await call, 0);
    assert.deepEqual(
      pieces,
      Array.from({ length: 5 }, () => MAX_PIECE),
    );
    assert.equal(guest.view.getUint32(RESULT, true), 5 * MIB);
  });

  it("returns at once where the stream takes everything", () => {
    let bytes = 0;
    const guest = program({ stdout: (piece: Uint8Array) => void (bytes += piece.length) });
    assert.equal(startBigWrite(guest, 100), 0);
    assert.equal(bytes, 100 * MIB);
    assert.equal(guest.view.getUint32(RESULT, true), 100 * MIB);
  });

  it("writes one piece if it is not to wait", async () => {
    const output = new ManualOutput();
    const guest = program({ stdout: output });
    await guest.call("fd_fdstat_set_flags", 1, FD_FLAGS.nonblock);
    assert.equal(startBigWrite(guest, 3), 0);
    assert.equal(guest.view.getUint32(RESULT, true), MAX_PIECE);
    assert.equal(await startBigWrite(guest, 3), ERRNO.EAGAIN);
    output.take();
    await turn();
    assert.equal(startBigWrite(guest, 3), 0);
  });

  it("tells how much was written before an error, which is what the next call answers", async () => {
    const output = new ManualOutput();
    const guest = program({ stdout: output });
    const call = startBigWrite(guest, 3);
    output.take();
    await turn();
    output.fail(new HostError("EPIPE"));
    assert.equal(await call, 0);
    assert.equal(guest.view.getUint32(RESULT, true), MAX_PIECE);
    assert.equal(await startBigWrite(guest, 3), ERRNO.EPIPE);
  });

  it("is over when it is given up: what comes next is written by the next call", async () => {
    const output = new ManualOutput();
    const guest = program({ stdout: output });
    const controller = new AbortController();
    guest.signal = controller.signal;
    void startBigWrite(guest, 3);
    controller.abort();
    guest.signal = new AbortController().signal;
    output.take();
    await turn();
    assert.equal(output.text.length, MAX_PIECE);
    const call = guest.write(1, "next");
    output.take();
    assert.equal(await call, 4);
    assert.equal(output.text.slice(MAX_PIECE), "next");
  });

  it("writes as much as a limit leaves room for", async () => {
    const pieces: Uint8Array[] = [];
    const guest = program({ stdout: pieces, maxOutputBytes: 2.5 * MIB });
    assert.equal(startBigWrite(guest, 4), 0);
    assert.equal(guest.view.getUint32(RESULT, true), 2 * MIB);
    assert.equal(await startBigWrite(guest, 4), ERRNO.EFBIG);
    assert.equal(pieces.length, 2);
  });
});

describe("A large fd_read()", () => {
  it("asks a stream for no more than a piece", () => {
    const asked: number[] = [];
    const stdin = {
      read(maxBytes: number): Uint8Array {
        asked.push(maxBytes);
        return new Uint8Array(10);
      },
    };
    const guest = program({ stdin });
    assert.equal(guest.start("fd_read", 0, ...guest.vectors([MIB, MIB], [MIB, MIB], [MIB, MIB]), RESULT), 0);
    assert.deepEqual(asked, [MIB]);
  });
});

describe("A stream's descriptor", () => {
  it("can only do what it is for", async () => {
    const guest = program({});
    await fails("ENOTCAPABLE", guest.read(1, 1));
    await fails("ENOTCAPABLE", guest.write(0, "x"));
    await fails(["ESPIPE", "ENOTCAPABLE"], guest.seek(0, 0n, 1));
    await fails(["ESPIPE", "ENOTCAPABLE"], guest.readAt(0, 1, 0n));
    assert.equal(await guest.errno("sock_shutdown", 0, 3), "ENOTSOCK");
  });

  it("says whether it is a terminal", async () => {
    const read = (): null => null;
    assert.equal((await program({ stdin: { read, kind: "terminal" } }).status(0)).type, FILE_TYPE.characterDevice);
    assert.equal((await program({ stdin: { read } }).status(0)).type, FILE_TYPE.unknown);
  });

  it("has a size of 0", async () => {
    const { type, size } = await program({ stdin: "text" }).stat(0);
    assert.deepEqual({ type, size }, { type: FILE_TYPE.unknown, size: 0n });
  });

  it("closes one stream that was given for both outputs when both are closed", async () => {
    const output = new ManualOutput();
    const guest = program({ stdout: output, stderr: output });
    await guest.close(1);
    assert.equal(output.isClosed, false);
    void guest.write(2, "x");
    await turn();
    output.take();
    await guest.close(2);
    assert.equal(output.isClosed, true);
  });

  it("closes its streams when the program ends", async () => {
    const [input, output] = [new ManualInput(), new ManualOutput()];
    const guest = program({ stdin: input, stdout: output });
    void startRead(guest, 1);
    await guest.wasi.close();
    assert.ok(input.isClosed);
    assert.ok(output.isClosed);
  });
});
