/** What a program that `stackful run` starts is given of the world: as much as the options say. */

import type { OutputStream } from "../wasi/host/stream.ts";
import { nodeOutput } from "../wasi/host/node-stdio.ts";
import type { WasiOptions } from "../wasi/wasi.ts";
import type { RunOptions } from "./run-options.ts";
import type { StopRequests } from "./stopped.ts";

/** Makes the world of one program, with further variables in its environment. */
export type MakeWorld = (env?: Readonly<Record<string, string>>) => WasiOptions;

export function worldFor(
  options: RunOptions,
  { requests, hasInput }: { readonly requests: StopRequests; readonly hasInput: boolean },
): MakeWorld {
  const { directories, maxOpenFiles, maxOutputBytes } = options;
  const preopens = Object.fromEntries(
    directories.map(({ host, guest, isReadOnly }) => [guest, { directory: host, readOnly: isReadOnly }]),
  );
  const world = { preopens, maxOpenFiles, maxOutputBytes, stdin: hasInput ? "inherit" : "ignore" } as const;
  return (env) => ({
    ...world,
    env: { ...options.env, ...env },
    stdout: stopping(nodeOutput(1), requests),
    stderr: "inherit",
  });
}

/** `stream`, whose breaking ends the program: most programs do not look at what their writes return. */
function stopping(stream: OutputStream, requests: StopRequests): OutputStream {
  const told = (error: unknown): never => {
    if ((error as { code?: unknown } | null)?.code === "EPIPE") requests.breakPipe();
    throw error;
  };
  const telling = <Result>(write: () => Result): Result => {
    try {
      return write();
    } catch (error) {
      return told(error);
    }
  };
  return {
    ...(stream.kind !== undefined && { kind: stream.kind }),
    write: (bytes) => telling(() => stream.write(bytes)?.catch(told)),
    ...(stream.writeNow && { writeNow: (buffers) => telling(() => stream.writeNow!(buffers)) }),
    close: () => stream.close?.(),
  };
}
