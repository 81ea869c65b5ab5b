/**
 * Stackful coroutines for JavaScript runtimes: code that was written to block calls async functions, and only its stack waits.
 *
 * @module
 */

export { backends } from "./backends/choose.ts";
export type { BackendName, BackendReport } from "./backends/choose.ts";
export { Coroutine } from "./coroutine/coroutine.ts";
export type { CoroutineState } from "./coroutine/coroutine.ts";
export {
  BackendUnavailableError,
  ForcedUnwind,
  FuelExhaustedError,
  ResumeError,
  StackExhaustedError,
  SuspendError,
} from "./coroutine/errors.ts";
export { Suspension, suspend } from "./coroutine/suspend.ts";
export { compile, instantiate } from "./instantiate.ts";
export type { CompileOptions, GuestSource, InstantiateOptions } from "./instantiate.ts";
export type { ActivationHooks } from "./link/activation.ts";
export type { Caller } from "./link/caller.ts";
export { CoroutineLocal } from "./link/coroutine-local.ts";
export type { AnyExports, AsyncExports, UntypedExport } from "./link/exports.ts";
export type { GuestFunction } from "./link/guest-function.ts";
export { GuestModule } from "./link/guest-module.ts";
export { newAsync, wrapAsync, wrapAsyncWithCaller } from "./link/host-function.ts";
export type { HostFunctionType } from "./link/host-function.ts";
export type { Interruption } from "./link/guest-module.ts";
export type { HostImports } from "./link/imports.ts";
export { Instance } from "./link/instance.ts";
export type { CoroutineOptions } from "./link/instance.ts";
export type { CallOptions } from "./link/linked-guest.ts";
export { Stack, StackPool } from "./link/stacks.ts";
export type { StackOptions } from "./link/stacks.ts";
export { Trap } from "./link/trap.ts";
export type { TrapKind } from "./link/trap.ts";
export { Wormhole } from "./link/wormhole.ts";
export { moduleCache } from "./transform/module-cache.ts";
export type { ModuleCache, ModuleCacheOptions } from "./transform/module-cache.ts";
