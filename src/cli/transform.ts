/** `stackful transform in.wasm -o out.wasm`: backend `transform`, ahead of time. */

import path from "node:path";
import { decodeModule } from "../binary/decode-module.ts";
import { packGuest } from "../backends/packaged-guest.ts";
import type { PackGuestOptions, PackedGuest } from "../backends/packaged-guest.ts";
import { TransformError } from "../transform/refusal.ts";
import { isPackaged } from "../transform/packaged-module.ts";
import { CommandError } from "./command.ts";
import type { Arguments, Command } from "./command.ts";
import { readInput, writeOutput, writeText } from "./files.ts";
import { refuseOthers } from "./module-file.ts";
import { ProgressLine } from "./progress-line.ts";
import { selectFrom } from "./selection.ts";
import { summarize, summaryText } from "./transform-report.ts";

export const transformCommand: Command = {
  name: "transform",
  summary: "Make a module suspendable on any engine, ahead of time",
  positionals: ["in.wasm"],
  required: ["output"],
  options: {
    output: { short: "o", value: "file", help: "Where to write the module; '-' for standard output" },
    only: {
      value: "pattern",
      isRepeatable: true,
      help: "Only these imports may suspend, and only these functions be suspended",
    },
    exclude: { value: "pattern", isRepeatable: true, help: "Not these" },
    "multi-memory": {
      help: "Save frames in a second memory of the module, not in one that a module\nof its own has; not for Node 20 and engines of its time",
    },
    "no-stack-checks": {
      help: "Do not check that calls stay within their stack; leaves debug\ninformation of such functions right",
    },
    overlap: {
      value: "how",
      choices: ["allow", "queue"],
      help: "What happens to a call while another one is suspended: it runs on\na stack of its own ('allow', the default), or waits ('queue')",
    },
    report: {
      value: "format",
      isValueOptional: true,
      choices: ["text", "json"],
      help: "Print what was done: functions, call sites, sizes, time, and which\nimport made which functions suspendable",
    },
    json: { help: "The same as --report=json" },
  },
  details: `A pattern is the name of an imported function ('env.sleep'), or the name or index of a function of the module; '*' stands for any
characters, '?' for one. What fits an import is about imports; 'function:…' and 'import:…' say which is meant.

The report goes to standard output, or to standard error if the module goes there. '-' as input is standard input.`,
  async run(given) {
    const started = performance.now();
    const [input, [output]] = [given.positionals[0]!, given.values("output") as [string]];
    if (output === "-" && process.stdout.isTTY) {
      throw new CommandError(
        "a module is not for reading: standard output is a terminal",
        "name a file with '--output <file>'",
      );
    }
    const bytes = await readInput(input);
    const packed = await transform(input, bytes, given);
    await writeOutput(output, packed.bytes);
    const format = given.values("json").length > 0 ? "json" : given.values("report")[0];
    if (format === undefined) return;
    const milliseconds = performance.now() - started;
    const summary = summarize(packed, { input, inputBytes: bytes.length, output, milliseconds });
    const text = format === "json" ? `${JSON.stringify(summary)}\n` : summaryText(summary);
    await writeText(output === "-" ? process.stderr : process.stdout, text);
  },
};

/** @throws {CommandError} when the bytes cannot be transformed */
async function transform(file: string, bytes: Uint8Array<ArrayBuffer>, given: Arguments): Promise<PackedGuest> {
  refuseOthers("transform", file, bytes);
  if (isPackaged(bytes)) throw new CommandError(`cannot transform '${file}': it is transformed already`);
  const line = new ProgressLine(process.stderr, `transforming ${path.basename(file)}`);
  // It goes through the code twice.
  let round = 0;
  let last = 0;
  const tell = (done: number, total: number): void => {
    if (done < last) round++;
    last = done;
    line.update(done + round * total, total * 2);
  };
  try {
    const selection = selectFrom(decodeModule(bytes), given.values("only"), given.values("exclude"));
    return await packGuest(bytes, {
      ...guestOptions(given),
      transform: {
        ...selection,
        multiMemory: given.values("multi-memory").length > 0,
        onProgress: tell,
      },
    });
  } catch (error) {
    throw asCommandError(error, file);
  } finally {
    line.end();
  }
}

function guestOptions(given: Arguments): PackGuestOptions {
  return {
    // The only values that the command line lets through.
    overlap: given.values("overlap")[0] as "allow" | "queue" | undefined,
    stackChecks: given.values("no-stack-checks").length === 0,
  };
}

function asCommandError(error: unknown, file: string): unknown {
  if (error instanceof TransformError) return new CommandError(`cannot transform '${file}': ${error.message}`);
  if (error instanceof WebAssembly.CompileError) {
    const tip = `the engine of Node ${process.versions.node} has judged it, which may not know all that the module uses`;
    return new CommandError(`cannot transform '${file}': ${error.message}`, isEngines(error) ? tip : undefined);
  }
  // A name that is reserved.
  if (error instanceof TypeError && /reserved/.test(error.message)) {
    return new CommandError(`cannot transform '${file}': ${error.message}`, undefined, { cause: error });
  }
  return error;
}

/** Whether V8 has refused the module, not our decoder. */
function isEngines({ message }: Error): boolean {
  return message.startsWith("WebAssembly.");
}
