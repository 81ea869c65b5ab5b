/** What of the network a program may use: nothing, unless its options say so. */

import { ConnectRules } from "./host/connect-rules.ts";
import type { Listener, Network } from "./host/network.ts";
import { findBuiltin } from "./host/node-builtin.ts";
import { NodeNetwork } from "./host/node-network.ts";
import { TCP_DIRECTORY, tcpDirectory } from "./host/tcp-directory.ts";
import type { Descriptor } from "./preview1/descriptor.ts";
import { DirectoryDescriptor } from "./preview1/directory.ts";
import { encodeText } from "./preview1/guest-memory.ts";
import { CONNECTION_RIGHTS, DIRECTORY_RIGHTS, FILE_RIGHTS } from "./preview1/rights.ts";
import { ListenerDescriptor } from "./preview1/socket.ts";

export interface NetworkAccess {
  /**
   * Where the program accepts connections: as open sockets after its preopened directories, which begin at descriptor 3. They stay open
   * when it ends: they are yours, and may be given to several programs.
   */
  readonly listeners?: readonly Listener[] | undefined;
  /**
   * To whom the program may connect, by opening the file `/dev/tcp/HOST/PORT`: `"HOST:PORT"`, where either may be `*`, and the host
   * `*.example.org`. Names are compared as text. Nobody when left out.
   */
  readonly allowConnect?: readonly string[] | undefined;
  /** The network in which it does so; in Node that of the computer when left out. */
  readonly network?: Network | undefined;
}

/** What comes after the preopened directories. @throws {TypeError} when something is of the wrong kind */
export function networkDescriptors({ listeners = [], allowConnect = [], network }: NetworkAccess): Descriptor[] {
  const sockets = listeners.map((listener) => {
    if (typeof (listener as Partial<Listener> | null)?.accept !== "function") {
      throw new TypeError("Cannot make WASI: listeners has something that accepts no connections");
    }
    return new ListenerDescriptor(listener);
  });
  if (allowConnect.length === 0) return sockets;
  const directory = tcpDirectory(network ?? computerNetwork(), new ConnectRules(allowConnect));
  const rights = { base: DIRECTORY_RIGHTS, inheriting: DIRECTORY_RIGHTS | FILE_RIGHTS | CONNECTION_RIGHTS };
  // A directory, too: C libraries look for those at the first numbers, and stop at anything else.
  return [new DirectoryDescriptor(directory, rights, { preopenName: encodeText(TCP_DIRECTORY) }), ...sockets];
}

function computerNetwork(): Network {
  if (findBuiltin("node:net") !== undefined) return new NodeNetwork();
  throw new TypeError("Cannot make WASI: allowConnect needs the option network where there is no node:net");
}
