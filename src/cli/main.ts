#!/usr/bin/env node
/** The command `stackful`: finds the command, runs it, and says how it failed. */

import { COMPILER_VERSION } from "../transform/compiler-version.ts";
import { CommandError, EXIT, UsageError } from "./command.ts";
import type { Command } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { commandHelp, generalHelp, usageOf } from "./help.ts";
import { isClosedPipe, writeText } from "./files.ts";
import { parseArguments } from "./parse-arguments.ts";
import { suggest } from "./suggest.ts";

/** Runs what `args` ask for, and returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  let command: Command | undefined;
  try {
    if (name === undefined) {
      await writeText(process.stderr, generalHelp(COMMANDS));
      return EXIT.usage;
    }
    if (name === "--version" || name === "-V") await writeText(process.stdout, `stackful ${COMPILER_VERSION}\n`);
    else if (name === "--help" || name === "-h" || name === "help") await help(rest);
    else {
      command = findCommand(name);
      const parsed = parseArguments(command, rest);
      if (parsed === "help") await writeText(process.stdout, commandHelp(command));
      else return (await command.run(parsed)) ?? 0;
    }
    return 0;
  } catch (error) {
    return fail(error, command);
  }
}

async function help([name]: readonly string[]): Promise<void> {
  const text = name === undefined || name.startsWith("-") ? generalHelp(COMMANDS) : commandHelp(findCommand(name));
  await writeText(process.stdout, text);
}

function findCommand(name: string): Command {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command) return command;
  if (name.startsWith("-")) throw new UsageError(`unexpected argument '${name}' found`);
  const similar = suggest(
    name,
    COMMANDS.map((candidate) => candidate.name),
  );
  throw new UsageError(
    `unrecognized command '${name}'`,
    similar === undefined ? undefined : `a similar command exists: '${similar}'`,
  );
}

function fail(error: unknown, command: Command | undefined): number {
  if (isClosedPipe(error)) return EXIT.closedPipe;
  if (!(error instanceof CommandError)) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`error: this is a mistake in stackful, please report it: ${stack}\n`);
    return EXIT.failure;
  }
  const lines = [`error: ${error.message}`];
  if (error.tip !== undefined) lines.push("", `  tip: ${error.tip}`);
  if (error instanceof UsageError) {
    const usage = command ? usageOf(command) : "stackful <command> [options]";
    lines.push("", `Usage: ${usage}`, "", "For more information, try '--help'.");
  }
  process.stderr.write(`${lines.join("\n")}\n`);
  return error instanceof UsageError ? EXIT.usage : EXIT.failure;
}

// Nobody reads what is left to say: the write that failed has rejected.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
process.exitCode = await main(process.argv.slice(2));
