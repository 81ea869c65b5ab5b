/**
 * Has a guest of Emscripten do `setjmp` and `longjmp` itself: WebAssembly in, WebAssembly out.
 *
 * Emscripten has JavaScript call what stands in a function with a `setjmp`, and throw for a `longjmp`: `invoke_vii(index, 1, 2)` calls
 * the function at `index` and catches what `_emscripten_throw_longjmp()` throws. That puts a JavaScript frame below each protected
 * call, which no backend can suspend. Here each of these imports is replaced by a function of the guest, for an exception of its own:
 *
 *     (func $invoke_vii (param $index i32) (param i32 i32) (local $stack i32)
 *       (local.set $stack (call $stackSave))
 *       try  (call_indirect (param i32 i32) (local.get 1) (local.get 2) (local.get $index))
 *       catch $longjmp  (call $stackRestore (local.get $stack))  (call $setThrew (i32.const 1) (i32.const 0))
 *       end)
 *
 *     (func $_emscripten_throw_longjmp  throw $longjmp)
 *
 * That is what Emscripten's JavaScript does: the code behind the call looks at what `setThrew()` has been told, and throws once more if
 * the jump was not to one of its own places, so that a jump over several functions is caught in each. It passes through functions of the
 * host, as theirs does. Nothing else is caught: traps, errors of the host and what unwinds a guest run nothing of this on their way.
 * (JavaScript's version also catches numbers that a host function throws, and the guest then takes the call for one that returned.)
 *
 * The imports stay, so that no index changes; nothing calls them any more. The legacy form of exceptions is the one that all engines have.
 */

import { ModuleEditor } from "../binary/editor.ts";
import type { FunctionType } from "../binary/extern-types.ts";
import { functionType, importedFunctions } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { redirectFunctions } from "../binary/redirect.ts";
import { F32, F64, I32, I64 } from "../binary/value-types.ts";
import type { Code } from "../binary/code.ts";

const THROW = "_emscripten_throw_longjmp";
const INVOKE = /^invoke_[vijfd]+$/;
/** What tells of C++ exceptions, which `invoke_*` catches as well, or of modules that are linked while they run and share all this. */
const ALSO_FOR_OTHERS = /^(__cxa_|__resumeException$|llvm_eh_|setThrew$|__stack_pointer$)/;

/** Emscripten's names for one function, the newest first. */
const STACK_SAVE = ["emscripten_stack_get_current", "stackSave"];
const STACK_RESTORE = ["_emscripten_stack_restore", "stackRestore"];

const TABLE = "__indirect_function_table";

const POINTER_SETTER: FunctionType = { params: [I32], results: [] };
const NOTHING: FunctionType = { params: [], results: [] };

/** What a call protected by `setjmp` needs of the guest: indices of functions, and of the table that it calls through. */
interface Runtime {
  readonly save: number;
  readonly restore: number;
  readonly setThrew: number;
  readonly table: number;
}

/** The guest with these imports replaced; `undefined` if it has none, or uses them for more than `longjmp`. */
export function keepLongjmp(module: BinaryModule): Uint8Array<ArrayBuffer> | undefined {
  const imports = importedFunctions(module).filter((entry) => entry.module === "env");
  const thrower = imports.find(({ name, type }) => name === THROW && type.params.length + type.results.length === 0);
  // One module cannot have both forms of exceptions, and one with exceptions of its own may have either.
  if (thrower === undefined || module.tags.length > 0) return undefined;
  if (module.imports.some(({ module: from, name }) => from.startsWith("GOT.") || ALSO_FOR_OTHERS.test(name))) {
    return undefined;
  }
  const runtime = findRuntime(module);
  if (runtime === undefined) return undefined;
  const editor = new ModuleEditor(module);
  const tag = editor.addTag([]);
  const targets = new Map([[thrower.index, addThrow(editor, tag)]]);
  for (const { name, index, type } of imports) {
    if (INVOKE.test(name) && canInvoke(type)) targets.set(index, addInvoke(editor, { name, type, tag, runtime }));
  }
  redirectFunctions(editor, module, targets);
  return editor.build();
}

function findRuntime(module: BinaryModule): Runtime | undefined {
  const save = exported(module, STACK_SAVE, { params: [], results: [I32] });
  const restore = exported(module, STACK_RESTORE, POINTER_SETTER);
  const setThrew = exported(module, ["setThrew"], { params: [I32, I32], results: [] });
  if (save === undefined || restore === undefined || setThrew === undefined || module.tables.length === 0) {
    return undefined;
  }
  const table = module.exports.find(({ kind, name }) => kind === "table" && name === TABLE)?.index ?? 0;
  return { save, restore, setThrew, table };
}

/** The function that is exported by one of these names, if it is of this type. */
function exported(module: BinaryModule, names: readonly string[], wanted: FunctionType): number | undefined {
  return module.exports.find(({ kind, name, index }) => {
    if (kind !== "function" || !names.includes(name)) return false;
    const { params, results } = functionType(module, index);
    return params.join() === wanted.params.join() && results.join() === wanted.results.join();
  })?.index;
}

function canInvoke({ params, results }: FunctionType): boolean {
  return params[0] === I32 && results.length <= 1;
}

/** `throw $longjmp` */
function addThrow(editor: ModuleEditor, tag: number): number {
  const thrower = editor.addFunction(NOTHING, `stackful:${THROW}`);
  thrower.code.throw(tag);
  return thrower.index;
}

/** The first function at the top of this file. A call that a jump left gives 0. */
function addInvoke(
  editor: ModuleEditor,
  { name, type, tag, runtime }: { name: string; type: FunctionType; tag: number; runtime: Runtime },
): number {
  const invoke = editor.addFunction(type, `stackful:${name}`);
  const stack = invoke.local(I32);
  const [, ...params] = type.params;
  const [result] = type.results;
  const { code } = invoke;
  code.call(runtime.save).localSet(stack).try(result);
  for (const position of params.keys()) code.localGet(position + 1);
  code.localGet(0).callIndirect(editor.type({ params, results: type.results }), runtime.table);
  code.catch(tag).localGet(stack).call(runtime.restore).i32Const(1).i32Const(0).call(runtime.setThrew);
  if (result !== undefined) emitZero(code, result);
  code.end();
  return invoke.index;
}

function emitZero(code: Code, type: number): void {
  if (type === I64) code.i64Const(0);
  else if (type === F32) code.f32Const(0);
  else if (type === F64) code.f64Const(0);
  else code.i32Const(0);
}
