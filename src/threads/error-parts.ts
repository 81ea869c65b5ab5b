/**
 * What an error is made of, so that it can be made again in another thread: structured clones know no own properties of errors, and
 * only the names of the classes of the language.
 */

import { ThreadError } from "./thread-end.ts";

/** An error taken to pieces. */
export interface ErrorParts {
  /** The class of the language that it is an instance of. */
  readonly class: string;
  readonly name: string;
  readonly message: string;
  readonly own: OwnProperties;
}

/** What an error may have besides, left out if it has not. */
export interface OwnProperties {
  readonly stack?: string;
  readonly cause?: unknown;
  /** Of an `AggregateError`. */
  readonly errors?: unknown;
  /** Its other properties, by their keys. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

type ErrorClass = new (message: string) => Error;

/** By name; what is derived from one of them comes back as this one, with the name it had. */
const CLASSES: Readonly<Record<string, ErrorClass>> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};
const STANDARD = ["name", "message", "stack", "cause", "errors"];

export function errorParts(error: Error): ErrorParts {
  return {
    class: classOf(error),
    name: textOf(error.name),
    message: textOf(error.message),
    own: {
      ...(typeof error.stack === "string" && { stack: error.stack }),
      ...("cause" in error && { cause: error.cause }),
      ...(error instanceof AggregateError && { errors: error.errors }),
      ...fieldsOf(error),
    },
  };
}

function fieldsOf(error: Error): Pick<OwnProperties, "fields"> {
  const entries = Object.entries(error).filter(([key]) => !STANDARD.includes(key));
  return entries.length === 0 ? {} : { fields: Object.fromEntries(entries) };
}

/** Whatever somebody has put there. */
function textOf(value: unknown): string {
  return typeof value === "string" ? value : String(value);
}

function classOf(error: Error): string {
  if (error instanceof AggregateError) return "AggregateError";
  if (error instanceof ThreadError) return "ThreadError";
  if (typeof DOMException === "function" && error instanceof DOMException) return "DOMException";
  for (const [name, Class] of Object.entries(CLASSES)) if (error instanceof Class) return name;
  return "Error";
}

/** An error of this class, with nothing of its own yet. */
export function bareError({ class: className, name, message }: Omit<ErrorParts, "own">): Error {
  const error = makeError(className, name, message);
  // A DOMException has its name from its constructor, others inherit that of their class.
  if (error.name !== name) define(error, "name", name);
  return error;
}

function makeError(className: string, name: string, message: string): Error {
  if (className === "AggregateError") return new AggregateError([], message);
  // What it says besides comes with its fields.
  if (className === "ThreadError") return new ThreadError("lost", message);
  if (className === "DOMException") return new DOMException(message, name);
  const Class = Object.hasOwn(CLASSES, className) ? CLASSES[className]! : Error;
  return new Class(message);
}

/** Gives `error` what the other one has of its own; the values are such of this thread. */
export function addOwnProperties(error: Error, { stack, fields, ...others }: OwnProperties): void {
  // There is one in any case: where it was made.
  define(error, "stack", stack);
  for (const [key, value] of Object.entries(others)) define(error, key, value);
  for (const [key, value] of Object.entries(fields ?? {})) {
    Object.defineProperty(error, key, { value, writable: true, enumerable: true, configurable: true });
  }
}

function define(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, enumerable: false, configurable: true });
}
