/** Types that follow from those of the functions on the other side. */

type AnyFunction = (...args: never[]) => unknown;

/** An object with functions, or with such objects. */
export type Functions = object;

/** The functions of `Host`, also those in objects within it, for whoever blocks until they have answered. */
export type Blocking<Host> = {
  readonly [Key in FunctionKeys<Host>]: Host[Key] extends (...args: infer Args) => infer Answer
    ? (...args: Args) => Awaited<Answer>
    : Blocking<Host[Key]>;
};

/** The functions that `Module` exports, for whoever awaits their answers. */
export type Remote<Module> = {
  readonly [Key in ExportKeys<Module>]: Module[Key] extends (...args: infer Args) => infer Answer
    ? (...args: Args) => Promise<Awaited<Answer>>
    : never;
};

/** The names of the functions that a module exports. */
export type ExportKeys<Module> = keyof {
  [Key in keyof Module as Module[Key] extends AnyFunction ? Key : never]: Key;
};

type FunctionKeys<Host> = keyof {
  [
    Key in keyof Host as Host[Key] extends AnyFunction ? Key : Host[Key] extends Record<string, unknown> ? Key : never
  ]: Key;
};

/** The parameters of a function that a module exports, and what it answers. */
export type ArgumentsOf<Module, Key extends keyof Module> = Module[Key] extends (...args: infer Args) => unknown
  ? Args
  : never;
export type AnswerOf<Module, Key extends keyof Module> = Module[Key] extends (...args: never[]) => infer Answer
  ? Awaited<Answer>
  : never;
