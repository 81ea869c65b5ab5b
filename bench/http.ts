/**
 * A blocking HTTP server in C, which serves one connection at a time, against the same server written with `node:http`: requests per
 * second over 1,000 connections that are kept alive. Each connection has an activation of one instance, or an instance of its own.
 *
 * `npm run bench -- http --connections=1000 --ms=3000`
 */

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { compile, instantiate } from "stackful";
import type { GuestModule } from "stackful";
import { NodeNetwork, WASI } from "stackful/wasi";
import type { NodeListener } from "stackful/wasi";
import { bytesOf } from "./harness/guests.ts";
import type { Load, LoadResult } from "./harness/http-load.ts";
import { quantile } from "./harness/measure.ts";

const LIMIT = 3;
const ROUNDS = 3;

function option(name: string, otherwise: number): number {
  const given = process.argv.find((argument) => argument.startsWith(`--${name}=`));
  return given === undefined ? otherwise : Number(given.slice(name.length + 3));
}

const connections = option("connections", 1000);
const ms = option("ms", 2000);

interface Server {
  readonly name: string;
  readonly port: number;
  close(): Promise<void>;
}

async function nodeServer(): Promise<Server> {
  const server = createServer((_request, response) => {
    response.setHeader("Content-Type", "text/plain");
    response.end("Hello, world!\n");
  });
  await new Promise<void>((done) => server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, done));
  const { port } = server.address() as AddressInfo;
  return { name: "node:http", port, close: async () => void server.close() };
}

type Backend = "jspi" | "transform";

/** One instance; an activation for each connection, all of them below one blocking `accept`. */
async function oneInstance(backend: Backend, guest: GuestModule): Promise<Server> {
  const listener = await new NodeNetwork().listen("127.0.0.1", 0);
  const wasi = new WASI({ listeners: [listener], maxOpenFiles: 4096 });
  const instance = await instantiate<{ serve(listener: number): number }>(guest, wasi.imports(), { backend });
  await wasi.initialize(instance);
  const serving = Array.from({ length: connections }, () => instance.exports.serve(3));
  return { name: `C, ${backend}, one instance`, ...closing(listener, serving, () => wasi.close()) };
}

/** An instance for each connection: so many programs, each with a memory of its own. */
async function manyInstances(backend: Backend, guest: GuestModule): Promise<Server> {
  const listener = await new NodeNetwork().listen("127.0.0.1", 0);
  const programs = Array.from({ length: connections }, async () => {
    const wasi = new WASI({ args: ["server", "http"], stdin: "ignore", listeners: [listener] });
    return wasi.start(await instantiate(guest, wasi.imports(), { backend }));
  });
  return { name: `C, ${backend}, an instance each`, ...closing(listener, programs, async () => {}) };
}

function closing(
  listener: NodeListener,
  ends: readonly Promise<number>[],
  close: () => Promise<void>,
): Omit<Server, "name"> {
  return {
    port: listener.address.port,
    close: async () => {
      listener.close();
      for (const exitCode of await Promise.all(ends)) assert.equal(exitCode, 0);
      await close();
    },
  };
}

function ask(client: ChildProcess, load: Load): Promise<LoadResult> {
  return new Promise((resolve) => {
    client.once("message", (result) => resolve(result as LoadResult));
    client.send(load);
  });
}

const bytes = bytesOf("wasi-server");
const client = fork(new URL("harness/http-load.ts", import.meta.url));
const servers = [await nodeServer()];
for (const backend of ["jspi", "transform"] as const) {
  const guest = await compile(bytes, { backend });
  servers.push(await oneInstance(backend, guest), await manyInstances(backend, guest));
}
console.log(`Node ${process.versions.node}, ${connections} connections, ${ROUNDS} rounds of ${ms} ms each`);
const rates = servers.map((): number[] => []);
for (let round = -1; round < ROUNDS; round++) {
  for (const [index, { name, port }] of servers.entries()) {
    const { requests, served, failures } = await ask(client, { port, connections, ms });
    // The first time everything is still slow.
    if (round < 0) continue;
    assert.deepEqual({ served, failures }, { served: connections, failures: 0 }, name);
    rates[index]!.push((requests / ms) * 1000);
  }
}
client.disconnect();
const [base = 0] = rates.map((all) => quantile(all, 0.5));
let isMissed = false;
for (const [index, { name }] of servers.entries()) {
  const rate = quantile(rates[index]!, 0.5);
  const ratio = base / rate;
  isMissed ||= ratio > LIMIT;
  console.log(`  ${name.padEnd(34)} ${rate.toFixed(0).padStart(7)} requests/s   node:http / this: ${ratio.toFixed(2)}`);
}
console.log(isMissed ? `MISSED ${LIMIT}x` : `within ${LIMIT}x`);
for (const server of servers) await server.close();
process.exitCode = isMissed ? 1 : 0;
