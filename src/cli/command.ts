/** What a command of `stackful` is, and how it fails. */

/** An option of a command; its name is the key in {@link Command.options}. */
export interface OptionDescription {
  /** One letter. */
  readonly short?: string;
  /** What stands for its value in the help; an option without one is a switch. */
  readonly value?: string;
  /** The value may be left out; then it can only be given with `=`. */
  readonly isValueOptional?: boolean;
  /** May be given more than once. */
  readonly isRepeatable?: boolean;
  /** The only values there are. */
  readonly choices?: readonly string[];
  /** What it does, for the help: one line, or several. */
  readonly help: string;
}

/** What was given on the command line. */
export interface Arguments {
  readonly positionals: readonly string[];
  /** Values in the order in which they were given; `""` for a switch. Empty when the option was not given. */
  readonly values: (option: string) => readonly string[];
  /** What stands behind the positionals of a command that has {@link Command.rest}: all of it, whatever it looks like. */
  readonly rest: readonly string[];
}

export interface Command {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** Names of the arguments that are no options; all have to be given. */
  readonly positionals: readonly string[];
  /** What stands for everything behind the last positional, which is not for this command; an error when left out. */
  readonly rest?: string;
  readonly options: Readonly<Record<string, OptionDescription>>;
  /** Options that have to be given. */
  readonly required?: readonly string[];
  /** What else there is to know, below the options. */
  readonly details?: string;
  /** @returns the exit code; 0 when left out */
  run(given: Arguments): Promise<number | void>;
}

/** Exit codes, as shells and other tools have them. */
export const EXIT = {
  failure: 1,
  usage: 2,
  /** Whoever read the output has gone: 128 + SIGPIPE. */
  closedPipe: 141,
} as const;

/** The command could not do what it was asked to; the message is for the user. */
export class CommandError extends Error {
  override readonly name: string = "CommandError";
  /** What to do about it. */
  readonly tip: string | undefined;

  constructor(message: string, tip?: string, options?: ErrorOptions) {
    super(message, options);
    this.tip = tip;
  }
}

/** What was asked makes no sense. */
export class UsageError extends CommandError {
  override readonly name = "UsageError";
}
