/** What a program has as standard input and output. */

import { emptyInput, inputFrom } from "./host/input.ts";
import type { InputSource } from "./host/input.ts";
import { OutputBudget, limitOutput } from "./host/limited-output.ts";
import { findBuiltin } from "./host/node-builtin.ts";
import { nodeInput, nodeOutput } from "./host/node-stdio.ts";
import { noOutput, outputTo } from "./host/output.ts";
import type { OutputTarget } from "./host/output.ts";
import type { InputStream, OutputStream } from "./host/stream.ts";
import { lines } from "./host/text-output.ts";
import { StreamDescriptor } from "./preview1/stream-descriptor.ts";

/** The names and numbers are those of `node:wasi` and `child_process`. */
export interface StandardStreams {
  /**
   * What the program reads: anything that can be read, a descriptor of the process by its number, `"inherit"` for that of the process, or
   * `"ignore"` for nothing. (Text that is one of these words has to be given as bytes.) In Node `"inherit"` when left out, elsewhere
   * nothing.
   */
  readonly stdin?: InputSource | number | undefined;
  /** What it writes to. `"inherit"` when left out, which is the console where there is no process: line by line. */
  readonly stdout?: OutputTarget | number | "inherit" | "ignore" | undefined;
  readonly stderr?: OutputTarget | number | "inherit" | "ignore" | undefined;
  /** Bytes that it may write to both together: what goes beyond that is not written, and `EFBIG`. No limit when left out. */
  readonly maxOutputBytes?: number | undefined;
}

/**
 * For descriptors 0, 1 and 2.
 *
 * @throws {RangeError} when `maxOutputBytes` is not a number from 0
 */
export function standardDescriptors(options: StandardStreams): StreamDescriptor[] {
  const { stdin, stdout, stderr, maxOutputBytes } = options;
  const budget = maxOutputBytes === undefined ? undefined : new OutputBudget(maxOutputBytes);
  const limited = (output: OutputStream): OutputStream => (budget === undefined ? output : limitOutput(output, budget));
  const input = new StreamDescriptor({ input: inputFor(stdin) });
  if (typeof stdout === "object" && stdout === stderr) {
    const both = new StreamDescriptor({ output: limited(outputTo(stdout)) }, { places: 2 });
    return [input, both, both];
  }
  // oxlint-disable-next-line no-console -- what a program prints in a browser is to be seen
  const { log, error } = console;
  const output = limited(outputFor(stdout, 1, log));
  const errors = limited(outputFor(stderr, 2, error));
  return [input, new StreamDescriptor({ output }), new StreamDescriptor({ output: errors })];
}

/** Whether there are descriptors to inherit. */
const hasDescriptors = findBuiltin("node:fs") !== undefined;

function inputFor(source: StandardStreams["stdin"]): InputStream {
  if (typeof source === "number") return nodeInput(source);
  if (source === "inherit" || source === undefined) return hasDescriptors ? nodeInput(0) : emptyInput;
  return source === "ignore" ? emptyInput : inputFrom(source);
}

function outputFor(target: StandardStreams["stdout"], number: number, log: (text: string) => void): OutputStream {
  if (typeof target === "number") return nodeOutput(target);
  if (target === "inherit" || target === undefined) return hasDescriptors ? nodeOutput(number) : lines(log);
  return target === "ignore" ? noOutput : outputTo(target);
}
