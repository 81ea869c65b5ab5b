/** `stackful inspect program.wasm`: what a module is, and what can be done with it. */

import path from "node:path";
import { CommandError } from "./command.ts";
import type { Command } from "./command.ts";
import { readInput, writeText } from "./files.ts";
import { inspectionText } from "./inspection-text.ts";
import { inspectModule } from "./inspection.ts";
import type { Inspection } from "./inspection.ts";
import { refuseOthers } from "./module-file.ts";
import { ProgressLine } from "./progress-line.ts";

export const inspectCommand: Command = {
  name: "inspect",
  summary: "Show what a module imports and exports, what may suspend, and which backends it fits",
  positionals: ["program.wasm"],
  options: { json: { help: "Print JSON" } },
  details: `An import may suspend if a host function can make the guest wait there. An export may suspend if a call of it can come to such an
import; calls through tables are taken to reach every function of their type that is in a table.

'-' is standard input.`,
  async run(given) {
    const file = given.positionals[0]!;
    const bytes = await readInput(file);
    const inspection = inspect(file, bytes);
    const isJson = given.values("json").length > 0;
    const text = isJson ? `${JSON.stringify(inspection, undefined, 2)}\n` : inspectionText(inspection);
    await writeText(process.stdout, text);
  },
};

/** @throws {CommandError} when the bytes are no module */
function inspect(file: string, bytes: Uint8Array<ArrayBuffer>): Inspection {
  refuseOthers("inspect", file, bytes);
  const line = new ProgressLine(process.stderr, `transforming ${path.basename(file)}`);
  try {
    return inspectModule(bytes, { file, onProgress: (done, total) => line.update(done, total) });
  } catch (error) {
    const isExpected = error instanceof WebAssembly.CompileError || error instanceof TypeError;
    throw isExpected
      ? new CommandError(`cannot inspect '${file}': ${error.message}`, undefined, { cause: error })
      : error;
  } finally {
    line.end();
  }
}
