/** What evaluations and calls of scripts reject with. */

export interface ScriptErrorParts {
  /** What the script calls it, as `TypeError`. */
  readonly scriptName?: string | undefined;
  readonly scriptStack?: string | undefined;
  /** What was thrown, if it is no error object. */
  readonly value?: unknown;
  /** The error of a host function that it began as, or what the script says why it was thrown. */
  readonly cause?: unknown;
  /** Further fields of the script's error. */
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * A script has thrown an error that it did not catch. Its `message` is that of the script's error; `cause` is the error of the host function
 * that it began as, the same object, if it did, otherwise the `cause` of the script's error. It is also what the host gets for an error object that a script returns or passes.
 */
export class ScriptError extends Error {
  override readonly name = "ScriptError";
  /** What the script calls the error: `TypeError`, say. */
  readonly scriptName: string;
  /** Where the script was. */
  readonly scriptStack: string;
  /** What was thrown; the error itself if it was an error object. */
  readonly value: unknown;

  constructor(message: string, parts: ScriptErrorParts = {}) {
    super(message, "cause" in parts ? { cause: parts.cause } : undefined);
    this.scriptName = parts.scriptName ?? "Error";
    this.scriptStack = parts.scriptStack ?? "";
    this.value = "value" in parts ? parts.value : this;
    for (const [key, value] of Object.entries(parts.fields ?? {})) {
      if (!(key in this)) Object.defineProperty(this, key, { value, enumerable: true, configurable: true });
    }
  }
}

export type StopReason = "progress" | "operations" | "closed";

/** A script was stopped: by `onProgress`, because of a limit, or because its engine was closed. It could not catch this. */
export class ScriptStoppedError extends Error {
  override readonly name = "ScriptStoppedError";
  readonly reason: StopReason;
  /** What `onProgress` returned. */
  readonly token: unknown;

  constructor(reason: StopReason, message: string, token?: unknown) {
    super(message);
    this.reason = reason;
    this.token = token;
  }
}
