/** What only sockets do. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HostError, MemoryNetwork } from "stackful/wasi";
import type { Connection, Listener, Network } from "stackful/wasi";
import { ERRNO } from "#src/wasi/preview1/errno";
import { FD_FLAGS, FILE_TYPE } from "#src/wasi/preview1/layout";
import type { Right } from "#src/wasi/preview1/rights";
import { GuestCalls, fails } from "../guest-calls.ts";
import { poll } from "../polling.ts";

const AT = 20_000;
const RESULT = 64;
const FLAGS = 72;
const LISTENER = 3;
const PEEK = 1;
const WAITALL = 2;
const [READ, WRITE, BOTH] = [1, 2, 3];

const encoder = new TextEncoder();
const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

function server(): { guest: GuestCalls; listener: Listener; connect: () => Promise<Connection> } {
  const network = new MemoryNetwork();
  const listener = network.listen("test", 1);
  const guest = new GuestCalls({ stdin: "ignore", stdout: "ignore", stderr: "ignore", listeners: [listener] });
  return { guest, listener, connect: () => network.connect("test", 1) };
}

async function accept(guest: GuestCalls, flags = 0): Promise<number> {
  await guest.call("sock_accept", LISTENER, flags, RESULT);
  return guest.view.getUint32(RESULT, true);
}

function startReceive(guest: GuestCalls, fd: number, length: number, flags = 0): number | Promise<number> {
  guest.view.setUint16(FLAGS, 0xffff, true);
  return guest.start("sock_recv", fd, ...guest.vectors([AT, length]), flags, RESULT, FLAGS);
}

function received(guest: GuestCalls): string {
  assert.equal(guest.view.getUint16(FLAGS, true), 0);
  return new TextDecoder().decode(guest.bytes.slice(AT, AT + guest.view.getUint32(RESULT, true)));
}

async function receive(guest: GuestCalls, fd: number, length: number, flags = 0): Promise<string> {
  assert.equal(await startReceive(guest, fd, length, flags), 0);
  return received(guest);
}

/** A connection, seen from both sides. */
async function connected(): Promise<{ guest: GuestCalls; fd: number; other: Connection }> {
  const { guest, connect } = server();
  const other = await connect();
  return { guest, fd: await accept(guest), other };
}

describe("sock_accept()", () => {
  it("waits for a connection, and gives it the flags", async () => {
    const { guest, connect } = server();
    const waiting = accept(guest);
    await turn();
    await connect();
    assert.equal(await waiting, 4);
    const { type, flags } = await guest.status(4);
    assert.deepEqual({ type, flags }, { type: FILE_TYPE.socketStream, flags: 0 });
    await connect();
    assert.equal((await guest.status(await accept(guest, FD_FLAGS.nonblock))).flags, FD_FLAGS.nonblock);
    assert.equal((await guest.status(LISTENER)).type, FILE_TYPE.socketStream);
    assert.equal((await guest.stat(4)).type, FILE_TYPE.socketStream);
  });

  it("does not wait if the listener is not to", async () => {
    const { guest, connect } = server();
    await guest.call("fd_fdstat_set_flags", LISTENER, FD_FLAGS.nonblock);
    assert.equal((await guest.status(LISTENER)).flags, FD_FLAGS.nonblock);
    await fails("EAGAIN", accept(guest));
    await connect();
    await turn();
    assert.equal(await accept(guest), 4);
  });

  it("says what is wrong", async () => {
    const { guest, listener } = server();
    assert.equal(await guest.errno("sock_accept", 99, 0, RESULT), "EBADF");
    assert.equal(await guest.errno("sock_accept", 0, 0, RESULT), "ENOTSOCK");
    assert.equal(await guest.errno("sock_accept", LISTENER, FD_FLAGS.append, RESULT), "EINVAL");
    assert.equal(await guest.errno("sock_accept", LISTENER, 0, 0xffff_fffe), "EFAULT");
    await fails("ENOTCONN", guest.read(LISTENER, 1));
    await fails(["ENOTCAPABLE", "ENOTCONN"], guest.write(LISTENER, "x"));
    const waiting = accept(guest);
    await listener.close();
    await fails("EINVAL", waiting);
  });

  it("takes no connection that there is no room for", async () => {
    const network = new MemoryNetwork();
    const listener = network.listen("test", 1);
    const guest = new GuestCalls({ stdin: "ignore", listeners: [listener], maxOpenFiles: 5 });
    const [first, second] = [await network.connect("test", 1), await network.connect("test", 1)];
    await accept(guest);
    await fails("EMFILE", accept(guest));
    await first.write(encoder.encode("x"));
    await guest.close(4);
    await accept(guest);
    await second.write(encoder.encode("second"));
    assert.equal(await receive(guest, 4, 10), "second");
  });

  it("leaves a connection to others when it is given up, or its program has ended", async () => {
    const network = new MemoryNetwork();
    const listener = network.listen("test", 1);
    const make = (): GuestCalls => new GuestCalls({ stdin: "ignore", listeners: [listener] });
    const [cancelled, ended, last] = [make(), make(), make()];
    const controller = new AbortController();
    cancelled.signal = controller.signal;
    void cancelled.start("sock_accept", LISTENER, 0, RESULT);
    void ended.start("sock_accept", LISTENER, 0, RESULT);
    const waiting = accept(last);
    controller.abort();
    await ended.wasi.close();
    const other = await network.connect("test", 1);
    await other.write(encoder.encode("hello"));
    assert.equal(await receive(last, await waiting, 10), "hello");
  });

  it("is what poll_oneoff tells of a listener that is ready", async () => {
    const { guest, connect } = server();
    const events = poll(guest, [{ read: LISTENER }]);
    await turn();
    await connect();
    assert.deepEqual(await events, [{ index: 0, type: "read", error: "ESUCCESS", bytes: 1n, isHangup: false }]);
    assert.equal(await accept(guest), 4);
  });
});

describe("sock_recv()", () => {
  it("receives like fd_read", async () => {
    const { guest, fd, other } = await connected();
    await other.write(encoder.encode("hello"));
    assert.equal(await receive(guest, fd, 4), "hell");
    assert.equal(await guest.read(fd, 10), "o");
    const waiting = startReceive(guest, fd, 10);
    await turn();
    await other.write(encoder.encode("later"));
    assert.equal(await waiting, 0);
    assert.equal(received(guest), "later");
  });

  it("leaves with PEEK what it shows", async () => {
    const { guest, fd, other } = await connected();
    const waiting = startReceive(guest, fd, 3, PEEK);
    await turn();
    await other.write(encoder.encode("hello"));
    assert.equal(await waiting, 0);
    assert.equal(received(guest), "hel");
    assert.equal(await receive(guest, fd, 100, PEEK), "hello");
    assert.equal(await receive(guest, fd, 100), "hello");
    await other.close();
    assert.equal(await receive(guest, fd, 100, PEEK), "");
    assert.equal(await receive(guest, fd, 100), "");
  });

  it("gives back with WAITALL what it has when it is given up", async () => {
    const { guest, fd, other } = await connected();
    await other.write(encoder.encode("abc"));
    const controller = new AbortController();
    guest.signal = controller.signal;
    const given = startReceive(guest, fd, 6, WAITALL);
    guest.signal = new AbortController().signal;
    const [pointer, count] = guest.vectors([AT + 1000, 10]);
    const reading = guest.start("fd_read", fd, pointer, count, 128);
    await turn();
    controller.abort();
    // For who waits already; what comes then is for the next.
    assert.equal(await reading, 0);
    assert.equal(new TextDecoder().decode(guest.bytes.slice(AT + 1000, AT + 1003)), "abc");
    assert.equal(guest.view.getUint32(128, true), 3);
    await other.write(encoder.encode("def"));
    assert.equal(await receive(guest, fd, 6), "def");
    assert.equal(await Promise.race([given, turn()]), undefined);
  });

  it("does not wait with WAITALL if it is not to, and loses nothing", async () => {
    const { guest, fd, other } = await connected();
    await guest.call("fd_fdstat_set_flags", fd, FD_FLAGS.nonblock);
    await other.write(encoder.encode("abc"));
    assert.equal(await receive(guest, fd, 6, WAITALL), "abc");
    assert.equal(await startReceive(guest, fd, 6, WAITALL), ERRNO.EAGAIN);
  });

  it("waits with WAITALL until there is enough, or the end", async () => {
    const { guest, fd, other } = await connected();
    const waiting = startReceive(guest, fd, 6, WAITALL);
    for (const text of ["ab", "cd", "efgh"]) {
      await turn();
      await other.write(encoder.encode(text));
    }
    assert.equal(await waiting, 0);
    assert.equal(received(guest), "abcdef");
    const last = startReceive(guest, fd, 100, WAITALL);
    await turn();
    await other.close();
    assert.equal(await last, 0);
    assert.equal(received(guest), "gh");
  });

  it("says what is wrong", async () => {
    const { guest, fd } = await connected();
    const vectors = guest.vectors([AT, 10]);
    assert.equal(await guest.errno("sock_recv", 99, ...vectors, 0, RESULT, FLAGS), "EBADF");
    assert.equal(await guest.errno("sock_recv", 1, ...vectors, 0, RESULT, FLAGS), "ENOTSOCK");
    assert.equal(await guest.errno("sock_recv", LISTENER, ...vectors, 0, RESULT, FLAGS), "ENOTCONN");
    assert.equal(await guest.errno("sock_recv", fd, ...vectors, 4, RESULT, FLAGS), "EINVAL");
    assert.equal(await guest.errno("sock_recv", fd, ...vectors, 0, RESULT, 0xffff_ffff), "EFAULT");
    assert.equal(await guest.errno("sock_recv", fd, 0xffff_fff0, 100, 0, RESULT, FLAGS), "EFAULT");
  });
});

describe("sock_send()", () => {
  it("sends like fd_write", async () => {
    const { guest, fd, other } = await connected();
    await guest.call("sock_send", fd, ...guest.vectors(guest.text("one"), guest.text("two")), 0, RESULT);
    assert.equal(guest.view.getUint32(RESULT, true), 6);
    assert.equal(new TextDecoder().decode((await other.read(10))!), "onetwo");
  });

  it("says what is wrong", async () => {
    const { guest, fd, other } = await connected();
    const vectors = guest.vectors(guest.text("x"));
    assert.equal(await guest.errno("sock_send", 99, ...vectors, 0, RESULT), "EBADF");
    assert.equal(await guest.errno("sock_send", 1, ...vectors, 0, RESULT), "ENOTSOCK");
    assert.equal(await guest.errno("sock_send", LISTENER, ...vectors, 0, RESULT), "ENOTCONN");
    assert.equal(await guest.errno("sock_send", fd, ...vectors, 1, RESULT), "EINVAL");
    await other.close();
    assert.equal(await guest.errno("sock_send", fd, ...vectors, 0, RESULT), "EPIPE");
  });
});

describe("sock_shutdown()", () => {
  it("says what is wrong", async () => {
    const { guest, fd } = await connected();
    for (const how of [READ, WRITE, BOTH]) {
      assert.equal(await guest.errno("sock_shutdown", 99, how), "EBADF");
      assert.equal(await guest.errno("sock_shutdown", 1, how), "ENOTSOCK");
      assert.equal(await guest.errno("sock_shutdown", LISTENER, how), "ENOTCONN");
    }
    for (const how of [0, 4, 7]) assert.equal(await guest.errno("sock_shutdown", fd, how), "EINVAL");
  });

  it("ends what is sent", async () => {
    const { guest, fd, other } = await connected();
    await guest.write(fd, "last");
    await guest.call("sock_shutdown", fd, WRITE);
    assert.equal(new TextDecoder().decode((await other.read(10))!), "last");
    assert.equal(await other.read(10), null);
    await fails("EPIPE", guest.write(fd, "x"));
    await other.write(encoder.encode("still"));
    assert.equal(await receive(guest, fd, 10), "still");
  });

  it("ends what is received, also for who waits", async () => {
    const { guest, fd, other } = await connected();
    const waiting = startReceive(guest, fd, 10);
    await turn();
    await guest.call("sock_shutdown", fd, READ);
    assert.equal(await waiting, 0);
    assert.equal(received(guest), "");
    const [event] = await poll(guest, [{ read: fd }]);
    assert.equal(event!.isHangup, true);
    assert.equal(await receive(guest, fd, 10), "");
    await guest.write(fd, "x");
    assert.equal(new TextDecoder().decode((await other.read(10))!), "x");
  });

  it("tells poll_oneoff of the end", async () => {
    const { guest, fd, other } = await connected();
    await other.write(encoder.encode("last"));
    await other.close();
    const [first] = await poll(guest, [{ read: fd }]);
    assert.deepEqual([first!.bytes, first!.isHangup], [4n, false]);
    await receive(guest, fd, 10);
    const [second] = await poll(guest, [{ read: fd }]);
    assert.deepEqual([second!.bytes, second!.isHangup], [0n, true]);
  });
});

describe("path_open() of /dev/tcp", () => {
  /** A network whose connections come when they are told to. */
  function slowNetwork(): { network: Network; arrive: () => void; state: { isClosed: boolean } } {
    const state = { isClosed: false };
    const connection: Connection = {
      kind: "socket",
      read: () => null,
      write: () => {},
      shutdown: () => {},
      close: () => {
        state.isClosed = true;
      },
    };
    let resolve: (connection: Connection) => void;
    const pending = new Promise<Connection>((done) => (resolve = done));
    return { network: { connect: () => pending }, arrive: () => resolve(connection), state };
  }

  const TCP = 3;
  const READ_WRITE: readonly Right[] = ["fd_read", "fd_write"];

  it("waits for the connection, which is a socket", async () => {
    const { network, arrive } = slowNetwork();
    const guest = new GuestCalls({ stdin: "ignore", network, allowConnect: ["test:1"] });
    const opening = guest.open(TCP, "test/1", { rights: READ_WRITE });
    await turn();
    arrive();
    const fd = await opening;
    assert.equal((await guest.status(fd)).type, FILE_TYPE.socketStream);
    assert.equal(await guest.errno("sock_shutdown", fd, BOTH), "ESUCCESS");
  });

  it("closes a connection that nobody waits for any more when it comes", async () => {
    const { network, arrive, state } = slowNetwork();
    const guest = new GuestCalls({ stdin: "ignore", network, allowConnect: ["test:1"] });
    const controller = new AbortController();
    guest.signal = controller.signal;
    void guest.open(TCP, "test/1", { rights: READ_WRITE }).catch(() => {});
    controller.abort();
    arrive();
    await turn();
    assert.ok(state.isClosed);
  });

  it("tells the network that nobody waits for the connection any more", async () => {
    let given: AbortSignal | undefined;
    const network: Network = {
      connect: (_host, _port, signal) => {
        given = signal;
        return new Promise(() => {});
      },
    };
    const guest = new GuestCalls({ stdin: "ignore", network, allowConnect: ["test:1"] });
    const controller = new AbortController();
    guest.signal = controller.signal;
    void guest.open(TCP, "test/1", { rights: READ_WRITE });
    assert.equal(given?.aborted, false);
    controller.abort();
    assert.equal(given?.aborted, true);
  });

  it("allows what the rules say, and nothing that only looks like it", async () => {
    const { network, arrive } = slowNetwork();
    arrive();
    const allowConnect = ["example.test:80", "*.wide.test:443", "[::1]:*"];
    const guest = new GuestCalls({ stdin: "ignore", network, allowConnect });
    const paths = ["example.test/80", "EXAMPLE.test/80", "a.wide.test/443", "a.b.wide.test/443", "::1/9"];
    for (const name of paths) await guest.close(await guest.open(TCP, name, { rights: READ_WRITE }));
    const refused = [
      "example.test/81",
      "wide.test/443",
      "xwide.test/443",
      "example.test./80",
      "localhost/80",
      "[::1]/9",
      // Resolvers may take these for the address before the space.
      "127.0.0.1 .wide.test/443",
      "127.0.0.1\t.wide.test/443",
      "127.0.0.1%x.wide.test/443",
      "\u3002.wide.test/443",
      "..wide.test/443",
      ".wide.test/443",
    ];
    for (const name of refused) await fails("EACCES", guest.open(TCP, name, { rights: READ_WRITE }));
    for (const port of ["0", "080", "65536", "-1", "http", "80 ", "8e1"]) {
      await fails("ENOENT", guest.open(TCP, `example.test/${port}`, { rights: READ_WRITE }));
    }
    for (const name of ["../tcp/example.test/80", "/example.test/80"]) {
      await fails(["ENOTCAPABLE", "EPERM"], guest.open(TCP, name, { rights: READ_WRITE }));
    }
    await fails("ENOTDIR", guest.open(TCP, "example.test/80", { directory: true }));
    await fails("EISDIR", guest.open(TCP, "example.test", { rights: READ_WRITE }));
    await fails("EACCES", guest.makeDirectory(TCP, "new"));
    assert.deepEqual(await guest.names(TCP), []);
  });

  it("has rules that can be understood", () => {
    for (const rule of ["", "host", "host:", ":80", "host:0", "host:99999", "ho*st:80", "**:80", "*.:80x"]) {
      assert.throws(() => new GuestCalls({ allowConnect: [rule] }), /Cannot allow connections/, rule);
    }
  });
});

describe("A connection that was reset", () => {
  it("says so once", async () => {
    const reset = new HostError("ECONNRESET");
    const connection: Connection = {
      kind: "socket",
      read: () => Promise.reject(reset),
      write: () => {
        throw new HostError("EPIPE");
      },
      shutdown: () => {},
      close: () => {},
    };
    const listener: Listener = { accept: () => connection, close: () => {} };
    const guest = new GuestCalls({ stdin: "ignore", listeners: [listener] });
    const fd = await accept(guest);
    await fails("ECONNRESET", guest.read(fd, 1));
    await fails("EPIPE", guest.write(fd, "x"));
  });
});
