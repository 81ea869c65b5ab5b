/** What is asked of the arguments of a script engine. */

import type { ScriptLanguage } from "./language.ts";
import type { RunOptions } from "./script-run.ts";

const NAME = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** @throws {TypeError} when `name` is no identifier, nor several with dots between them */
export function requirePath(action: string, name: unknown): readonly string[] {
  const path = typeof name === "string" ? name.split(".") : [];
  if (path.length > 0 && path.every((part) => NAME.test(part))) return path;
  const received = typeof name === "string" ? JSON.stringify(name) : typeof name;
  throw new TypeError(
    `Cannot ${action}: its name must be an identifier, or several with dots between, received ${received}`,
  );
}

/** @throws {RangeError} when `value` is given and is not a whole number above 0 */
export function requireCount(action: string, name: string, value: number | undefined): void {
  if (value === undefined || (Number.isSafeInteger(value) && value > 0)) return;
  throw new RangeError(`Cannot ${action}: ${name} must be a whole number above 0, received ${String(value)}`);
}

/** @throws {RangeError} or {TypeError} when one of them is not what it can be */
export function requireRunOptions(action: string, options: RunOptions): void {
  const { maxOperations, timeoutMs, onProgress, signal } = options;
  if (maxOperations !== Number.POSITIVE_INFINITY) requireCount(action, "maxOperations", maxOperations);
  if (timeoutMs !== undefined && !(typeof timeoutMs === "number" && timeoutMs >= 0)) {
    throw new RangeError(`Cannot ${action}: timeoutMs must be 0 or more, received ${String(timeoutMs)}`);
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new TypeError(`Cannot ${action}: onProgress must be a function, received ${typeof onProgress}`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`Cannot ${action}: signal must be an AbortSignal, received ${typeof signal}`);
  }
}

/** @throws {TypeError} when it is not what a function such as `quickjs()` gives */
export function requireLanguage(language: ScriptLanguage): void {
  if (typeof language === "object" && language !== null && typeof language.start === "function") return;
  throw new TypeError(
    `Cannot create script engine: expected what quickjs() or lua() gives, received ${typeof language}`,
  );
}
