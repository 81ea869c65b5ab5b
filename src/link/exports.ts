/** Types of what a guest exports, as its user says it or does not say it. */

/** An export of which nothing was said: it may be used as whatever it can be. What a function returns is not known. */
export type UntypedExport = ((...args: unknown[]) => unknown) & Thing;

type Thing = WebAssembly.Memory & WebAssembly.Table & WebAssembly.Global;

/**
 * What a guest exports when its user has not said. An export that is missing is only found out at run time, unless the compiler is told
 * to check index signatures (`noUncheckedIndexedAccess`): say what there is then, `instantiate<{ run(id: number): number }>(…)`.
 */
export type AnyExports = Readonly<Record<string, UntypedExport>>;

/** The exports of a guest with its functions made asynchronous. */
export type AsyncExports<Exports> = {
  readonly [Name in keyof Exports]: Exports[Name] extends UntypedExport
    ? ((...args: unknown[]) => Promise<unknown>) & Thing
    : Exports[Name] extends (...args: infer Params) => infer Result
      ? (...args: Params) => Promise<Awaited<Result>>
      : Exports[Name];
};

/** The names of the functions among the exports. */
export type FunctionName<Exports> = {
  [Name in keyof Exports & string]: Exports[Name] extends (...args: never[]) => unknown ? Name : never;
}[keyof Exports & string];

/** The type of an exported function. */
export type FunctionOf<Exports, Name extends keyof Exports> = Extract<Exports[Name], (...args: never[]) => unknown>;

/** A function of a guest, made asynchronous. */
export type AsyncFunction<Callee extends (...args: never[]) => unknown> = (
  ...args: Parameters<Callee>
) => Promise<Awaited<ReturnType<Callee>>>;
