/** Help texts, made of the table of commands. */

import type { Command, OptionDescription } from "./command.ts";
import { HELP, describeOption } from "./parse-arguments.ts";

/** Columns of the names, before what they mean. */
const MAX_NAME_COLUMNS = 28;

/** `stackful transform [options] --output <file> <in.wasm>` */
export function usageOf({ name, positionals, rest, options, required = [] }: Command): string {
  const parts = [
    "stackful",
    name,
    "[options]",
    ...required.map((option) => describeOption(option, options[option]!)),
    ...positionals.map((positional) => `<${positional}>`),
    ...(rest === undefined ? [] : [`[${rest}]...`]),
  ];
  return parts.join(" ");
}

export function commandHelp(command: Command): string {
  const options = Object.entries({ ...command.options, help: HELP });
  const rows = options.map(([name, option]) => [nameOf(name, option), option.help] as const);
  const parts = [command.summary, `Usage: ${usageOf(command)}`, `Options:\n${table(rows)}`];
  if (command.details !== undefined) parts.push(command.details);
  return `${parts.join("\n\n")}\n`;
}

export function generalHelp(commands: readonly Command[]): string {
  return `Stackful coroutines for WebAssembly: modules call async functions as if they returned at once

Usage: stackful <command> [options]

Commands:
${table(commands.map(({ name, summary }) => [name, summary]))}

Options:
${table([
  ["-h, --help", "Print help"],
  ["-V, --version", "Print version"],
])}

'stackful <command> --help' tells more about a command.
`;
}

function nameOf(name: string, option: OptionDescription): string {
  const short = option.short === undefined ? "    " : `-${option.short}, `;
  return short + describeOption(name, option);
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(MAX_NAME_COLUMNS, Math.max(...rows.map(([name]) => name.length)));
  const indent = " ".repeat(width + 4);
  return rows
    .map(([name, help]) => {
      const lines = help.replaceAll("\n", `\n${indent}`);
      return name.length > width ? `  ${name}\n${indent}${lines}` : `  ${name.padEnd(width)}  ${lines}`;
    })
    .join("\n");
}
