/** What a program that `stackful run` starts is given of the world: as much as the options say. */

import type { OutputStream } from "../wasi/host/stream.ts";
import { NodeNetwork } from "../wasi/host/node-network.ts";
import type { NodeListener } from "../wasi/host/node-network.ts";
import { nodeOutput } from "../wasi/host/node-stdio.ts";
import type { WasiOptions } from "../wasi/wasi-options.ts";
import { CommandError } from "./command.ts";
import { reasonOf } from "./files.ts";
import { addressText } from "./quantities.ts";
import type { HostAndPort } from "./quantities.ts";
import type { RunOptions } from "./run-options.ts";
import type { StopRequests } from "./stopped.ts";

/** Makes the world of one program, with further variables in its environment. */
export type MakeWorld = (env?: Readonly<Record<string, string>>) => WasiOptions;

interface WorldParts {
  readonly requests: StopRequests;
  /** Whether standard input is for the program. */
  readonly hasInput: boolean;
  readonly listeners: readonly NodeListener[];
}

/** Listens for connections. @throws {CommandError} when that is not possible somewhere */
export async function openListeners(addresses: readonly HostAndPort[]): Promise<NodeListener[]> {
  const listeners: NodeListener[] = [];
  for (const { host, port } of addresses) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one after the other: an error is of the first that fails
      listeners.push(await new NodeNetwork().listen(host, port));
    } catch (error) {
      for (const listener of listeners) listener.close();
      const tip = host === "*" ? `every address of this computer is 0.0.0.0:${port}, or [::]:${port}` : undefined;
      const address = addressText({ host, port });
      throw new CommandError(`cannot listen on ${address}: ${reasonOf(error)}`, tip, { cause: error });
    }
  }
  return listeners;
}

export function worldFor(options: RunOptions, { requests, hasInput, listeners }: WorldParts): MakeWorld {
  const { directories, maxOpenFiles, maxThreads, maxOutputBytes, allowNet: allowConnect } = options;
  const preopens = Object.fromEntries(
    directories.map(({ host, guest, isReadOnly }) => [guest, { directory: host, readOnly: isReadOnly }]),
  );
  const stdin = hasInput ? "inherit" : "ignore";
  const world = { preopens, maxOpenFiles, maxThreads, maxOutputBytes, listeners, allowConnect, stdin } as const;
  return (env) => ({
    ...world,
    env: { ...options.env, ...env },
    stdout: stopping(nodeOutput(1), requests),
    stderr: "inherit",
  });
}

/**
 * `stream`, whose breaking ends the program, as SIGPIPE does: most do not look at what their writes return, and others would have a message about
 * it. The write that fails is never answered: the program is unwound in it.
 */
function stopping(stream: OutputStream, requests: StopRequests): OutputStream {
  let isBroken = false;
  const stop = (error: unknown): Promise<never> => {
    if ((error as { code?: unknown } | null)?.code !== "EPIPE") throw error;
    isBroken = true;
    requests.breakPipe();
    return new Promise(() => {});
  };
  return {
    ...(stream.kind !== undefined && { kind: stream.kind }),
    write(bytes) {
      try {
        return stream.write(bytes)?.catch(stop);
      } catch (error) {
        return stop(error);
      }
    },
    ...(stream.writeNow && {
      writeNow(buffers) {
        try {
          return isBroken ? 0 : stream.writeNow!(buffers);
        } catch (error) {
          void stop(error);
          return 0;
        }
      },
    }),
    close: () => stream.close?.(),
  };
}
