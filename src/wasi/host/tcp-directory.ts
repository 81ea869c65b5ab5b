/** `/dev/tcp/HOST/PORT`: connections for programs that can only open files. The name is that of shells. */

import { parsePort } from "./connect-rules.ts";
import type { ConnectRules } from "./connect-rules.ts";
import type { Directory, FileStat, OpenOptions, OpenStream } from "./file-system.ts";
import { HostError } from "./host-error.ts";
import type { Connection, Network } from "./network.ts";
import { VirtualDirectory, refuse, statOf } from "./virtual-directory.ts";

/** What the program calls it: a preopened directory, so that C libraries find it, whatever else they may open. */
export const TCP_DIRECTORY = "/dev/tcp";

/** A directory that seems to have every host in it to which `rules` allow connections: a directory each, with their ports. */
export function tcpDirectory(network: Network, rules: ConnectRules): Directory {
  return new TcpDirectory(network, rules);
}

class TcpDirectory extends VirtualDirectory {
  readonly #network: Network;
  readonly #rules: ConnectRules;

  constructor(network: Network, rules: ConnectRules) {
    super();
    this.#network = network;
    this.#rules = rules;
  }

  open(host: string, { create, exclusive, write }: OpenOptions): Directory {
    this.statEntry(host);
    if (create && exclusive) throw new HostError("EEXIST");
    if (write) throw new HostError("EISDIR");
    return new HostDirectory(this.#network, this.#rules, host);
  }

  statEntry(host: string): FileStat {
    if (!this.#rules.mayReach(host)) refuse();
    return statOf("directory");
  }
}

class HostDirectory extends VirtualDirectory {
  readonly #network: Network;
  readonly #rules: ConnectRules;
  readonly #host: string;

  constructor(network: Network, rules: ConnectRules, host: string) {
    super();
    this.#network = network;
    this.#rules = rules;
    this.#host = host;
  }

  /** Connects. A shell's `>` asks for a new, empty file; it is given a connection all the same. */
  open(name: string, { directory, create, exclusive, signal }: OpenOptions): Promise<OpenStream> {
    const port = this.#portOf(name);
    if (directory) throw new HostError("ENOTDIR");
    if (create && exclusive) throw new HostError("EEXIST");
    return this.#network.connect(this.#host, port, signal).then(openConnection);
  }

  statEntry(name: string): FileStat {
    this.#portOf(name);
    return statOf("socket");
  }

  #portOf(name: string): number {
    const port = parsePort(name);
    if (port === undefined) throw new HostError("ENOENT");
    if (!this.#rules.mayConnect(this.#host, port)) refuse();
    return port;
  }
}

function openConnection(connection: Connection): OpenStream {
  return {
    kind: "stream",
    input: connection,
    output: connection,
    connection,
    stat: () => statOf("socket"),
    close: () => connection.close(),
  };
}
