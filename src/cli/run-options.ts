/** What `stackful run` was asked for, out of the words on the command line. */

import { statSync } from "node:fs";
import path from "node:path";
import type { BackendName } from "../backends/choose.ts";
import { ConnectRules } from "../wasi/host/connect-rules.ts";
import { CommandError, UsageError } from "./command.ts";
import type { Arguments, OptionDescription } from "./command.ts";
import { reasonOf } from "./files.ts";
import { parseAddress, parseBytes, parseCount, parseDuration } from "./quantities.ts";
import type { HostAndPort } from "./quantities.ts";

type RunOptionName =
  | "dir"
  | "env"
  | "listen"
  | "allow-net"
  | "invoke"
  | "copies"
  | "backend"
  | "timeout"
  | "max-memory"
  | "max-output"
  | "max-open-files"
  | "max-threads"
  | "task-stack"
  | "fuel"
  | "trace"
  | "no-interrupt"
  | "no-cache";

/** In the order of the help. */
export const RUN_OPTIONS: Readonly<Record<RunOptionName, OptionDescription>> = {
  dir: {
    value: "host[::guest][:ro]",
    isRepeatable: true,
    help: "Let the program use a directory, under its own name or another;\n':ro' to read only",
  },
  env: {
    value: "name[=value]",
    isRepeatable: true,
    help: "Set a variable of its environment, which is empty; without a value,\nto that of this environment",
  },
  listen: {
    value: "host:port",
    isRepeatable: true,
    help: "Open a listening socket for it: the descriptor after those of the\ndirectories, which begin at 3. Copies share it",
  },
  "allow-net": {
    value: "host:port",
    isRepeatable: true,
    help: "Let it connect there, by opening the file /dev/tcp/<host>/<port>;\n'*' stands for any host or any port",
  },
  invoke: { value: "function", help: "Call this export with the arguments, and print its results" },
  copies: {
    value: "n",
    help: "Run n copies at once, in one thread; STACKFUL_COPY is the number of\neach in its environment, from 0",
  },
  backend: { value: "name", choices: ["auto", "jspi", "transform"], help: "How its stack is left while it waits" },
  timeout: { value: "time", help: "End it after so long: 5s, 200ms, 1m. Exit code 124" },
  "max-memory": { value: "size", help: "Bytes that its memory may grow to: 256M" },
  "max-output": { value: "size", help: "Bytes that it may write to its standard output and error" },
  "max-open-files": { value: "n", help: "Descriptors that it may have open at once; 1024 when left out" },
  "max-threads": { value: "n", help: "Threads that it may have beside its main one; 8192 when left out" },
  "task-stack": { value: "size", help: "Stack of each of its tasks (stackful.h); 64K when left out" },
  fuel: { value: "n", help: "Instructions that it may execute, about. Exit code 134" },
  trace: {
    help: "Print each of its WASI calls to standard error, with its arguments\nand errors and how long it was suspended",
  },
  "no-interrupt": {
    help: "Let it compute without giving way to anybody, 1.2 times as fast:\nCtrl-C kills it then, and --copies wait for each other",
  },
  "no-cache": { help: "Do not keep what backend 'transform' makes of it in a directory" },
};

export interface DirectoryGrant {
  readonly host: string;
  readonly guest: string;
  readonly isReadOnly: boolean;
}

export interface RunOptions {
  readonly directories: readonly DirectoryGrant[];
  readonly env: Readonly<Record<string, string>>;
  readonly listen: readonly HostAndPort[];
  /** Rules, as the library takes them. */
  readonly allowNet: readonly string[];
  readonly invoke: string | undefined;
  readonly copies: number | undefined;
  readonly backend: BackendName | "auto";
  readonly timeout: { readonly milliseconds: number; readonly text: string } | undefined;
  readonly maxMemoryBytes: number | undefined;
  readonly maxOutputBytes: number | undefined;
  readonly maxOpenFiles: number | undefined;
  readonly maxThreads: number | undefined;
  readonly taskStackBytes: number | undefined;
  readonly fuel: number | undefined;
  readonly isTraced: boolean;
  readonly isInterruptible: boolean;
  readonly isCached: boolean;
}

/** @throws {CommandError} when a value makes no sense */
export function runOptions(given: Arguments): RunOptions {
  const last = <Value>(name: RunOptionName, parse: (value: string, option: string) => Value): Value | undefined => {
    const [value] = given.values(name);
    return value === undefined ? undefined : parse(value, describe(name));
  };
  const all = <Value>(name: RunOptionName, parse: (value: string, option: string) => Value): Value[] =>
    given.values(name).map((value) => parse(value, describe(name)));
  const isOn = (name: RunOptionName): boolean => given.values(name).length > 0;
  const options: RunOptions = {
    directories: all("dir", parseDirectory),
    env: Object.fromEntries(all("env", parseVariable)),
    listen: all("listen", (value, option) => parseAddress(value, option)),
    allowNet: all("allow-net", parseRule),
    invoke: last("invoke", (value) => value),
    copies: last("copies", (value, option) => parseCount(value, option)),
    // The only values that the command line lets through.
    backend: (last("backend", (value) => value) ?? "auto") as BackendName | "auto",
    timeout: last("timeout", (text, option) => ({ milliseconds: parseDuration(text, option), text })),
    maxMemoryBytes: last("max-memory", parseBytes),
    maxOutputBytes: last("max-output", parseBytes),
    maxOpenFiles: last("max-open-files", (value, option) => parseCount(value, option)),
    maxThreads: last("max-threads", (value, option) => parseCount(value, option)),
    taskStackBytes: last("task-stack", parseStack),
    fuel: last("fuel", (value, option) => parseCount(value, option)),
    isTraced: isOn("trace"),
    isInterruptible: !isOn("no-interrupt"),
    isCached: !isOn("no-cache"),
  };
  refuseContradictions(options);
  return options;
}

function describe(name: RunOptionName): string {
  const option: OptionDescription = RUN_OPTIONS[name];
  return `--${name} <${option.value}>`;
}

function refuseContradictions({ copies, invoke, isInterruptible, fuel, directories }: RunOptions): void {
  const refuse = (one: string, other: string): never => {
    throw new UsageError(`the argument '${one}' cannot be used with '${other}'`);
  };
  if (copies !== undefined && invoke !== undefined) refuse("--copies <n>", "--invoke <function>");
  if (!isInterruptible && fuel !== undefined) refuse("--no-interrupt", "--fuel <n>");
  const names = directories.map(({ guest }) => guest);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined)
    throw new UsageError(`two directories are called '${twice}': give one another name with host::guest`);
}

/** Within what the library takes. */
function parseStack(value: string, option: string): number {
  const bytes = parseBytes(value, option);
  if (bytes >= 2 ** 10 && bytes <= 2 ** 30) return bytes;
  throw new UsageError(`invalid value '${value}' for '${option}': expected a size from 1K to 1G`);
}

/** `host:port`, either of which may be `*`. */
function parseRule(value: string, option: string): string {
  try {
    void new ConnectRules([value]);
    return value;
  } catch {
    throw new UsageError(`invalid value '${value}' for '${option}': expected host:port, such as example.com:443`);
  }
}

/** `host`, `host::guest`, either with `:ro` behind it. */
function parseDirectory(value: string, option: string): DirectoryGrant {
  const isReadOnly = value.endsWith(":ro");
  const [host = "", guest = host, ...others] = value.replace(/:ro$/, "").split("::");
  if (host === "" || guest === "" || others.length > 0) {
    throw new UsageError(
      `invalid value '${value}' for '${option}': expected host, host::guest, host:ro or host::guest:ro`,
    );
  }
  requireDirectory(host);
  // A Windows path is nothing that a program could ask for.
  return { host: path.resolve(host), guest: guest === host ? host.replaceAll(path.sep, "/") : guest, isReadOnly };
}

function requireDirectory(directory: string): void {
  try {
    if (statSync(directory).isDirectory()) return;
  } catch (error) {
    const [, host, guest] = /^(..+?):([^:].*)$/.exec(directory) ?? [];
    // As containers have it. A single letter is a drive.
    const tip = guest === undefined ? undefined : `to give '${host}' another name, use '--dir ${host}::${guest}'`;
    throw new CommandError(`cannot open directory '${directory}': ${reasonOf(error)}`, tip, { cause: error });
  }
  throw new CommandError(`cannot open directory '${directory}': it is none`);
}

function parseVariable(value: string, option: string): [name: string, value: string] {
  const end = value.indexOf("=");
  const name = end === -1 ? value : value.slice(0, end);
  if (name === "") throw new UsageError(`invalid value '${value}' for '${option}': expected name=value or name`);
  if (end !== -1) return [name, value.slice(end + 1)];
  const inherited = process.env[name];
  if (inherited === undefined)
    throw new CommandError(`environment variable '${name}' not found`, `give it a value: --env ${name}=value`);
  return [name, inherited];
}
