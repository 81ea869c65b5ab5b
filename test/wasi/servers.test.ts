/** Blocking servers and clients, written in C. */
import assert from "node:assert/strict";
import * as net from "node:net";
import { describe, it } from "node:test";
import { MemoryNetwork, NodeNetwork } from "stackful/wasi";
import type { Connection, Listener, Network } from "stackful/wasi";
import { eventually } from "../conformance/harness.ts";
import { TestProgram, onBackends } from "./programs.ts";
import type { Backend } from "./programs.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Where a server can be reached. */
interface Place {
  readonly network: Network;
  readonly listener: Listener;
  readonly host: string;
  readonly port: number;
}

async function onMemory(): Promise<Place> {
  const network = new MemoryNetwork();
  return { network, listener: network.listen("server.test", 80), host: "server.test", port: 80 };
}

async function onComputer(): Promise<Place> {
  const network = new NodeNetwork();
  const listener = await network.listen("127.0.0.1", 0);
  return { network, listener, ...listener.address };
}

/** One test for each network and backend. */
function onNetworks(title: string, test: (place: Place, backend: Backend) => Promise<void>): void {
  for (const [name, open] of [
    ["memory", onMemory],
    ["node", onComputer],
  ] as const) {
    onBackends(`${title}, network ${name}`, async (backend) => {
      const place = await open();
      try {
        await test(place, backend);
      } finally {
        await place.listener.close();
      }
    });
  }
}

describe("NodeNetwork.connect()", () => {
  it("leaves no socket when it is given up", async () => {
    const network = new NodeNetwork();
    const listener = await network.listen("127.0.0.1", 0);
    const { host, port } = listener.address;
    const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
    const before = sockets();
    const reason = new Error("Enough");
    await assert.rejects(network.connect(host, port, AbortSignal.abort(reason)), reason);
    const controller = new AbortController();
    const connecting = network.connect(host, port, controller.signal);
    controller.abort(reason);
    await assert.rejects(connecting, reason);
    // The other side may have accepted it by now, and finds it closed.
    const signal = AbortSignal.timeout(1000);
    const accepted = await Promise.resolve(listener.accept(signal)).catch(() => undefined);
    assert.equal((await accepted?.read(1)) ?? null, null);
    await accepted?.close();
    listener.close();
    await eventually(() => sockets() === before);
  });

  it("forgets the signal when it has connected", async () => {
    const network = new NodeNetwork();
    const listener = await network.listen("127.0.0.1", 0);
    const controller = new AbortController();
    const connection = await network.connect(listener.address.host, listener.address.port, controller.signal);
    controller.abort();
    const other = await listener.accept();
    await connection.write(encoder.encode("still"));
    assert.equal(await receive(other, 5), "still");
    await Promise.all([connection.close(), other.close()]);
    listener.close();
  });
});

/** Reads so many bytes, or until the end. */
async function receive(connection: Connection, bytes: number): Promise<string> {
  let text = "";
  while (text.length < bytes) {
    const chunk = await connection.read(65_536);
    if (chunk === null) break;
    text += decoder.decode(chunk);
  }
  return text;
}

async function ask(connection: Connection, request: string, bytes: number): Promise<string> {
  await connection.write(encoder.encode(request));
  return receive(connection, bytes);
}

const ANSWER_BYTES = 14 + "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\n".length;

describe("A server in C", () => {
  onNetworks(
    "sends back what it is sent, to one after the other",
    async ({ network, listener, host, port }, backend) => {
      const server = await TestProgram.make("wasi-server", backend, ["echo"], { listeners: [listener] });
      const end = server.start();
      for (const text of ["hello", "x".repeat(300_000)]) {
        const connection = await network.connect(host, port);
        const answer = ask(connection, text, text.length);
        assert.equal((await answer) === text, true);
        await connection.shutdown("write");
        assert.equal(await connection.read(1), null);
        await connection.close();
      }
      await listener.close();
      assert.equal(await end, 0);
    },
  );

  onNetworks("answers many connections with poll()", async ({ network, listener, host, port }, backend) => {
    const server = await TestProgram.make("wasi-server", backend, ["poll"], { listeners: [listener] });
    const end = server.start();
    const slow = await network.connect(host, port);
    await slow.write(encoder.encode("GET / HT"));
    const others = await Promise.all(Array.from({ length: 10 }, () => network.connect(host, port)));
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(others.map((other) => ask(other, "GET / HTTP/1.1\r\n\r\n", ANSWER_BYTES)));
      for (const answer of answers) assert.match(answer, /^HTTP\/1.1 200 OK[^]*Hello, world!\n$/);
    }
    assert.match(await ask(slow, "TP/1.1\r\n\r\n", ANSWER_BYTES), /Hello, world!\n$/);
    await ask(slow, "GET /stop HTTP/1.1\r\n\r\n", ANSWER_BYTES);
    assert.equal(await end, 0);
    for (const connection of [slow, ...others]) await connection.close();
  });

  onNetworks("serves many at once, one activation each", async ({ network, listener, host, port }, backend) => {
    const server = await TestProgram.make("wasi-server", backend, [], { listeners: [listener] });
    await server.wasi.initialize(server.instance);
    const serving = Array.from({ length: 50 }, () => server.instance.exports["serve"]!(3) as Promise<number>);
    const connections = await Promise.all(serving.map(() => network.connect(host, port)));
    for (let round = 0; round < 3; round++) {
      await Promise.all(connections.map((other) => ask(other, "GET / HTTP/1.1\r\n\r\n", ANSWER_BYTES)));
    }
    for (const connection of connections) await connection.close();
    await listener.close();
    assert.deepEqual(new Set(await Promise.all(serving)), new Set([0]));
    await server.wasi.close();
  });

  onNetworks("may be many programs that share a listener", async ({ network, listener, host, port }, backend) => {
    const servers = await Promise.all(
      Array.from({ length: 5 }, () => TestProgram.make("wasi-server", backend, ["http"], { listeners: [listener] })),
    );
    const controller = new AbortController();
    const [last, ...others] = servers.map((server, index) =>
      server.start(index === 0 ? {} : { signal: controller.signal }),
    );
    controller.abort(new Error("Enough"));
    for (const other of others) await assert.rejects(other, /Enough/);
    // Those that have ended take no connection away from the one that has not.
    for (let round = 0; round < 5; round++) {
      const connection = await network.connect(host, port);
      assert.match(await ask(connection, "GET / HTTP/1.1\r\n\r\n", ANSWER_BYTES), /Hello, world!\n$/);
      await connection.close();
    }
    await listener.close();
    assert.equal(await last, 0);
  });

  onNetworks(
    "waits for who reads slowly, and holds nobody else up",
    async ({ network, listener, host, port }, backend) => {
      const server = await TestProgram.make("wasi-server", backend, ["echo"], { listeners: [listener] });
      void server.start().catch(() => {});
      const connection = await network.connect(host, port);
      const bytes = 20_000_000;
      const sent = (async () => {
        for (let done = 0; done < bytes; done += 100_000) await connection.write(new Uint8Array(100_000));
        await connection.shutdown("write");
      })();
      await new Promise((done) => setTimeout(done, 50));
      let received = 0;
      for (let chunk = await connection.read(65_536); chunk !== null; chunk = await connection.read(65_536)) {
        received += chunk.length;
      }
      await sent;
      assert.equal(received, bytes);
      await connection.close();
    },
  );
});

describe("A client in C", () => {
  onNetworks("connects by opening a file", async ({ network, listener, host, port }, backend) => {
    const server = await TestProgram.make("wasi-server", backend, ["http"], { listeners: [listener] });
    const end = server.start();
    const args = [host, String(port), "GET /stop HTTP/1.1\r\n\r\n"];
    for (const preopens of [{}, { "/": "." }, { "/dev": "." }]) {
      const other = await TestProgram.make("wasi-connect", backend, [host, "1", "x"], { preopens });
      assert.equal(await other.start(), 1);
    }
    const allowConnect = [`${host}:${port}`];
    const client = await TestProgram.make("wasi-connect", backend, args, {
      network,
      allowConnect,
      preopens: { "/": "." },
    });
    assert.equal(await client.start(), 0);
    assert.match(client.output.text, /Hello, world!\n$/);
    assert.equal(await end, 0);
  });

  onNetworks("is told why not", async ({ network, listener, host, port }, backend) => {
    const connect = async (name: string, number: string, allowConnect: readonly string[]): Promise<string> => {
      const client = await TestProgram.make("wasi-connect", backend, [name, number, "x"], { network, allowConnect });
      assert.equal(await client.start(), 1);
      return client.output.text;
    };
    assert.match(await connect(host, String(port), []), /No such file|Capabilities insufficient/);
    assert.match(await connect(host, String(port), ["other.test:80"]), /Permission denied/);
    assert.match(await connect(host, String(port), [`${host}:1`]), /Permission denied/);
    assert.match(await connect(host, "http", [`${host}:*`]), /No such file/);
    await listener.close();
    assert.match(await connect(host, String(port), ["*:*"]), /Connection refused/);
  });
});

describe("A connection of the computer", () => {
  it("that the other side has reset is told so", async () => {
    const network = new NodeNetwork();
    const listener = await network.listen("127.0.0.1", 0);
    const other = net.connect(listener.address);
    const connection = await listener.accept();
    const read = Promise.resolve(connection.read(10));
    other.on("connect", () => other.resetAndDestroy());
    await assert.rejects(read, { code: "ECONNRESET" });
    assert.equal(await connection.read(10), null);
    assert.throws(() => void connection.write(encoder.encode("x")), { code: "EPIPE" });
    await connection.close();
    listener.close();
  });

  it("can be ended in one direction", async () => {
    const network = new NodeNetwork();
    const listener = await network.listen("127.0.0.1", 0);
    const client = await network.connect(listener.address.host, listener.address.port);
    const server = await listener.accept();
    await client.write(encoder.encode("question"));
    await client.shutdown("write");
    assert.equal(await receive(server, 100), "question");
    await server.write(encoder.encode("answer"));
    await server.close();
    assert.equal(await receive(client, 100), "answer");
    await client.close();
    listener.close();
  });
});
