/**
 * Asks an HTTP server for as long as it is told to, over many connections that are kept alive, one request at a time on each. In a process
 * of its own: `fork` it, and send it a {@link Load}; it answers with a {@link LoadResult}.
 */

import { connect } from "node:net";
import type { Socket } from "node:net";

export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly ms: number;
}

export interface LoadResult {
  /** Answers in that time. */
  readonly requests: number;
  /** Connections that have had at least one. */
  readonly served: number;
  /** Connections that have failed. */
  readonly failures: number;
}

const REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
/** The last byte of an answer, and of nothing else that comes last in a piece of one. */
const END = "!\n";

async function run({ port, connections, ms }: Load): Promise<LoadResult> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)));
  // libuv accepts one connection in each turn of the event loop, so those that are there already have to be quiet until all are.
  await Promise.all(sockets.map(askOnce));
  const counts = sockets.map(() => 0);
  let failures = 0;
  for (const [index, socket] of sockets.entries()) {
    socket.on("data", (chunk: Buffer) => {
      if (!isEnd(chunk)) return;
      counts[index]!++;
      socket.write(REQUEST);
    });
    socket.on("error", () => failures++);
    socket.write(REQUEST);
  }
  await new Promise((done) => setTimeout(done, ms));
  for (const socket of sockets) socket.destroy();
  const requests = counts.reduce((sum, count) => sum + count, 0);
  return { requests, served: counts.filter((count) => count > 0).length, failures };
}

function isEnd(chunk: Buffer): boolean {
  return chunk.toString("latin1", chunk.length - END.length) === END;
}

async function askOnce(socket: Socket): Promise<void> {
  socket.write(REQUEST);
  await new Promise<void>((resolve) => {
    const onData = (chunk: Buffer): void => {
      if (!isEnd(chunk)) return;
      socket.off("data", onData);
      resolve();
    };
    socket.on("data", onData);
  });
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

process.on("message", (load: Load) => {
  void run(load).then((result) => process.send!(result));
});
