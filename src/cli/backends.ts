/** `stackful backends`: what this runtime can do. */

import { backends } from "../backends/choose.ts";
import type { Command } from "./command.ts";
import { writeText } from "./files.ts";

export const backendsCommand: Command = {
  name: "backends",
  summary: "Show which backends this runtime has, and why not the others",
  positionals: [],
  options: { json: { help: "Print JSON" } },
  async run(given) {
    const all = backends();
    if (given.values("json").length > 0) {
      await writeText(process.stdout, `${JSON.stringify(all, undefined, 2)}\n`);
      return;
    }
    const width = Math.max(...all.map(({ name }) => name.length));
    const lines = all.map(({ name, reason, syncResume }) => {
      const state = reason === undefined ? "available" : `not available: ${reason}`;
      return `${name.padEnd(width)}  ${state}${syncResume ? ", can resume synchronously" : ""}`;
    });
    await writeText(process.stdout, `${lines.join("\n")}\n`);
  },
};
