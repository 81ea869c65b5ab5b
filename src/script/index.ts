/** `stackful/script`: scripts that call asynchronous functions of the host as if they were plain ones. */

export type { HostFunction, ScriptLanguage } from "./language.ts";
export { ScriptEngine, scriptSignal } from "./script-engine.ts";
export type { EvalOptions, ScriptEngineOptions } from "./script-engine.ts";
export { ScriptError, ScriptStoppedError } from "./script-errors.ts";
export type { StopReason } from "./script-errors.ts";
export type { ScriptFunction } from "./script-function.ts";
export type { OnProgress, RunLimits, RunOptions } from "./script-run.ts";
