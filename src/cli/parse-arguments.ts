/** Reads the arguments of one command with `parseArgs` of Node, and says what is wrong with them as people expect it. */

import { parseArgs } from "node:util";
import { UsageError } from "./command.ts";
import type { Arguments, Command, OptionDescription } from "./command.ts";
import { suggest } from "./suggest.ts";

/** Every command has it. */
export const HELP: OptionDescription = { short: "h", help: "Print help" };

/** One option as it was given. */
interface GivenOption {
  readonly name: string;
  /** With its dashes. */
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

export type Parsed = Arguments | "help";

/** @throws {UsageError} when they do not fit the command */
export function parseArguments(command: Command, args: readonly string[]): Parsed {
  const options = { ...command.options, help: HELP };
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(Object.entries(options).map(([name, option]) => [name, configurationOf(option)])),
  });
  const positionals: string[] = [];
  const values = new Map<string, string[]>();
  let rest: readonly string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind === "positional" && isLast(command, positionals)) {
      rest = args.slice(token.index + 1);
      break;
    }
    if (token.kind !== "option") continue;
    const option = (options as Readonly<Record<string, OptionDescription>>)[token.name];
    if (!option) throw unknownOption(token, options);
    checkValue(token, option);
    const given = values.get(token.name) ?? [];
    if (given.length > 0 && option.isRepeatable !== true) {
      throw new UsageError(`the argument '${describeOption(token.name, option)}' cannot be used multiple times`);
    }
    values.set(token.name, [...given, token.value ?? ""]);
  }
  if (values.has("help")) return "help";
  checkPresence(command, positionals, values);
  return { positionals, values: (name) => values.get(name) ?? [], rest };
}

/** Whether what follows is not for this command any more. */
function isLast({ positionals, rest }: Command, found: readonly string[]): boolean {
  return rest !== undefined && found.length === positionals.length;
}

function configurationOf({ short, value, isValueOptional }: OptionDescription): {
  type: "string" | "boolean";
  multiple: true;
  short?: string;
} {
  const type = value !== undefined && isValueOptional !== true ? "string" : "boolean";
  return { type, multiple: true, ...(short !== undefined && { short }) };
}

/** `--output <file>`, as in the help. */
export function describeOption(name: string, { value, isValueOptional }: OptionDescription): string {
  if (value === undefined) return `--${name}`;
  return isValueOptional === true ? `--${name}[=${value}]` : `--${name} <${value}>`;
}

function unknownOption({ rawName }: GivenOption, options: Readonly<Record<string, OptionDescription>>): UsageError {
  const similar = suggest(
    rawName,
    Object.keys(options).map((name) => `--${name}`),
  );
  return new UsageError(
    `unexpected argument '${rawName}' found`,
    similar === undefined ? undefined : `a similar argument exists: '${similar}'`,
  );
}

function checkValue({ name, value, inlineValue }: GivenOption, option: OptionDescription): void {
  const described = describeOption(name, option);
  if (option.value === undefined) {
    if (value !== undefined)
      throw new UsageError(`unexpected value '${value}' for '--${name}' found; no more were expected`);
    return;
  }
  const isLeftOut = value === undefined || (inlineValue !== true && value.startsWith("-") && value !== "-");
  if (isLeftOut && option.isValueOptional === true) return;
  if (isLeftOut || value === "") {
    throw new UsageError(
      `a value is required for '${described}' but none was supplied`,
      isLeftOut && value !== undefined ? `to pass '${value}' as a value, use '--${name}=${value}'` : undefined,
    );
  }
  checkChoice(value, described, option.choices);
}

function checkChoice(value: string, described: string, choices: readonly string[] | undefined): void {
  if (choices === undefined || choices.includes(value)) return;
  const similar = suggest(value, choices);
  throw new UsageError(
    `invalid value '${value}' for '${described}': possible values are ${choices.join(", ")}`,
    similar === undefined ? undefined : `a similar value exists: '${similar}'`,
  );
}

function checkPresence(
  command: Command,
  positionals: readonly string[],
  values: ReadonlyMap<string, readonly string[]>,
): void {
  const extra = positionals[command.positionals.length];
  if (extra !== undefined) throw new UsageError(`unexpected argument '${extra}' found`);
  const missing = [
    ...command.positionals.slice(positionals.length).map((name) => `<${name}>`),
    ...(command.required ?? [])
      .filter((name) => !values.has(name))
      .map((name) => describeOption(name, command.options[name]!)),
  ];
  if (missing.length > 0) {
    throw new UsageError(`the following required arguments were not provided: ${missing.join(", ")}`);
  }
}
