/**
 * The functions of QuickJS that are used, by their names in C: pointers and sizes are numbers. `JSValue*` is what the package has made of a
 * value: 8 bytes on the heap, which are freed with `QTS_FreeValuePointer`.
 */

export interface QuickJSFunctions {
  malloc(bytes: number): number;
  free(address: number): void;
  QTS_NewRuntime(): number;
  QTS_NewContext(runtime: number, intrinsics: number): number;
  QTS_RuntimeSetMaxStackSize(runtime: number, bytes: number): void;
  QTS_RuntimeEnableInterruptHandler(runtime: number): void;
  QTS_RuntimeEnableModuleLoader(runtime: number, normalizes: number): void;
  QTS_RuntimeComputeMemoryUsage(runtime: number, context: number): number;
  QTS_FreeValuePointer(context: number, value: number): void;
  QTS_FreeCString(context: number, text: number): void;
  QTS_DupValuePointer(context: number, value: number): number;
  QTS_NewFloat64(context: number, value: number): number;
  QTS_GetFloat64(context: number, value: number): number;
  QTS_NewString(context: number, text: number): number;
  QTS_GetString(context: number, value: number): number;
  QTS_NewArrayBuffer(context: number, address: number, bytes: number): number;
  QTS_GetArrayBuffer(context: number, value: number): number;
  QTS_GetArrayBufferLength(context: number, value: number): number;
  QTS_GetPropNumber(context: number, value: number, index: number): number;
  QTS_GetLength(context: number, result: number, value: number): number;
  QTS_Typeof(context: number, value: number): number;
  QTS_GetUndefined(): number;
  QTS_NewFunction(context: number, name: number, length: number, isConstructor: number, id: number): number;
  QTS_NewHostRef(context: number, id: number): number;
  QTS_GetHostRefId(value: number): number;
  QTS_Throw(context: number, error: number): number;
  QTS_ResolveException(context: number, value: number): number;
  QTS_Eval(context: number, source: number, bytes: number, name: number, detectsModule: number, flags: number): number;
  QTS_Call(context: number, callee: number, self: number, count: number, args: number): number;
  QTS_IsJobPending(runtime: number): number;
  QTS_ExecutePendingJob(runtime: number, count: number, context: number): number;
}

export type QuickJSFunctionName = keyof QuickJSFunctions;

/** By their names in C, whatever a release exports them as. */
export function quickJSFunctions(
  exports: Readonly<Record<string, unknown>>,
  exportNames: ReadonlyMap<string, string>,
): QuickJSFunctions {
  const functions = Object.create(null) as Record<string, unknown>;
  for (const [name, exported] of exportNames) functions[name] = exports[exported];
  // Looked up in the package itself; one that a release does not have is a TypeError where it is called.
  return functions as unknown as QuickJSFunctions;
}
