/** `examples/echo_server.rs` of rust-coroutines: a task for each connection, and three clients. What the server does ends with its scope. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { Channel, scope } from "stackful/tasks";

const accepted = new Channel<Socket>({ capacity: Infinity, name: "connections" });
const server = createServer((socket) => void accepted.trySend(socket)).listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;

async function echo(socket: Socket): Promise<void> {
  for await (const bytes of socket) socket.write(bytes as Buffer);
  socket.end();
}

async function client(name: string): Promise<string> {
  const socket = connect(port, "127.0.0.1").setEncoding("utf8");
  socket.write(`hello from ${name}`);
  const [answer] = (await once(socket, "data")) as [string];
  socket.end();
  return answer;
}

await scope(async (scope) => {
  scope.defer(() => server.close());
  scope.spawn(async () => {
    for await (const socket of accepted) scope.spawn(() => echo(socket), { name: `connection ${socket.remotePort}` });
  });
  const clients = ["Ada", "Grace", "Barbara"].map((name) => scope.spawn(() => client(name)));
  for (const task of clients) console.log(await task);
});
console.log("the server listens:", server.listening);

// Output:
// hello from Ada
// hello from Grace
// hello from Barbara
// the server listens: false
