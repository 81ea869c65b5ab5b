/** @throws {WebAssembly.CompileError} always: what is known of the structures and the code of Lua is known of one build */
export function unknownBuild(reason: string): never {
  throw new WebAssembly.CompileError(`Cannot use this build of Lua: ${reason}; expected that of wasmoon 1.16`);
}
