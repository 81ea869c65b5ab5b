/**
 * Makes a CPython that was built without threads start them: WebAssembly in, WebAssembly out.
 *
 * Whatever Python needs for several threads is in there: a state for each, and a lock that it gives away around calls that may wait. Only the
 * function of the C library that would start one says that it cannot. So `_thread.start_new_thread`, where it calls
 *
 *     PyThread_start_new_thread(thread_run, boot)         calls      (func $start (param $function i32) (param $boot i32) (result i32)
 *                                                                      (if (i32.eqz (global.get $wanted)) (then (return (i32.const -1))))
 *                                                                      (global.set $wanted (i32.const 0))
 *                                                                      (global.set $boot (local.get $boot))
 *                                                                      (i32.const 1))
 *
 * and the host then calls `thread_run(boot)`, exported as `stackful_run`, as an activation with a stack of its own.
 *
 * `_thread.interrupt_main` is exported as well: it does what a signal would do, whatever Python is doing, and has it call a function of
 * its own soon.
 *
 * Both are found through the tables in which Python has the names of its functions: { name, function, flags, text }.
 */

import { decodeModule } from "../../binary/decode-module.ts";
import { ModuleEditor } from "../../binary/editor.ts";
import { InstructionReader } from "../../binary/instructions.ts";
import { functionBody, functionType } from "../../binary/module.ts";
import type { BinaryModule } from "../../binary/module.ts";
import { opcode } from "../../binary/opcodes.ts";
import { Reader } from "../../binary/reader.ts";
import { I32 } from "../../binary/value-types.ts";
import { addGrowingAllocator } from "./growing-allocator.ts";

const CALL = opcode("call");
const I32_CONST = opcode("i32.const");

/** Flags of a function that is called with its arguments in a tuple. */
const METH_VARARGS = 1;
const WORD = 4;
const PAGE_BYTES = 65_536;

/** Names of what is exported. */
export const PYTHON_EXPORTS = {
  /** (boot) → never, or when the thread has ended */
  run: "stackful_run",
  /** Global: what to call `run` with, once Python has started a thread. */
  boot: "stackful_boot",
  /** Global: 1 lets Python start one thread. */
  wanted: "stackful_wanted",
  /** (address of the tuple with its arguments) */
  interrupt: "stackful_interrupt",
} as const;

/** @throws {TypeError} when it is no CPython in which these functions are found */
export function withThreads(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const module = decodeModule(bytes);
  const methods = new MethodTables(module);
  const starter = methods.find("start_new_thread");
  const interrupter = methods.find("interrupt_main");
  const { thread, call } = findStart(module, methods, starter);
  const editor = new ModuleEditor(module);
  const wanted = addVariable(editor, PYTHON_EXPORTS.wanted);
  const boot = addVariable(editor, PYTHON_EXPORTS.boot);
  const start = editor.addFunction({ params: [I32, I32], results: [I32] }, "start thread");
  start.code.globalGet(wanted).i32Eqz().if().i32Const(-1).return().end();
  start.code.i32Const(0).globalSet(wanted).localGet(1).globalSet(boot).i32Const(1);
  editor.replace(call, (code) => code.call(start.index));
  editor.export(PYTHON_EXPORTS.run, "function", thread);
  const interrupt = editor.addFunction({ params: [I32], results: [I32] }, "interrupt");
  interrupt.code.i32Const(0).localGet(0).call(interrupter);
  editor.export(PYTHON_EXPORTS.interrupt, "function", interrupt.index);
  addGrowingAllocator(editor);
  return editor.build();
}

function addVariable(editor: ModuleEditor, name: string): number {
  const index = editor.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(0));
  editor.export(name, "global", index);
  return index;
}

/**
 * Where `starter` starts a thread: the first call of a function (i32, i32) → i32 behind the address of one (i32) → (), which is what the
 * thread is to run.
 */
function findStart(
  module: BinaryModule,
  methods: MethodTables,
  starter: number,
): { readonly thread: number; readonly call: { readonly start: number; readonly end: number } } {
  const { start, end } = functionBody(module, starter);
  const reader = new InstructionReader(module.bytes);
  reader.enterBody(start, end);
  let thread: number | undefined;
  while (reader.next()) {
    if (reader.opcode === I32_CONST) {
      const found = methods.functionAt(constantAt(module, reader.immediates));
      if (found !== undefined && hasType(module, found, 1, 0)) thread = found;
    } else if (thread !== undefined && reader.opcode === CALL && hasType(module, reader.index(), 2, 1)) {
      return { thread, call: { start: reader.start, end: reader.position } };
    }
  }
  throw notPython("it starts threads in another way");
}

function hasType(module: BinaryModule, index: number, params: number, results: number): boolean {
  const type = functionType(module, index);
  return (
    type.params.length === params &&
    type.results.length === results &&
    [...type.params, ...type.results].every((value) => value === I32)
  );
}

/** The functions that Python has names for, in its memory as it begins. */
class MethodTables {
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  /** Address of a function → its index. */
  readonly #functions = new Map<number, number>();

  constructor(module: BinaryModule) {
    const segments = module.data.filter(({ mode, offset }) => mode === "active" && isConstant(module, offset!));
    this.#memory = new Uint8Array((module.memories[0]?.minimum ?? 0) * PAGE_BYTES);
    this.#view = new DataView(this.#memory.buffer);
    for (const { offset, content } of segments) {
      const bytes = module.bytes.subarray(content.start, content.end);
      const at = constantAt(module, offset!.start + 1) >>> 0;
      if (at + bytes.length <= this.#memory.length) this.#memory.set(bytes, at);
    }
    for (const { mode, offset, functions } of module.elements) {
      if (mode !== "active" || functions === null || !isConstant(module, offset!)) continue;
      const first = constantAt(module, offset!.start + 1);
      for (const [position, index] of functions.entries()) this.#functions.set(first + position, index);
    }
  }

  functionAt(address: number): number | undefined {
    return this.#functions.get(address);
  }

  /** The function that Python calls `name`. @throws {TypeError} */
  find(name: string): number {
    const names = new Set(this.#addressesOf(name));
    const view = this.#view;
    for (let at = 0; at + 3 * WORD <= view.byteLength && names.size > 0; at += WORD) {
      if (!names.has(view.getUint32(at, true)) || view.getUint32(at + 2 * WORD, true) !== METH_VARARGS) continue;
      const found = this.#functions.get(view.getUint32(at + WORD, true));
      if (found !== undefined) return found;
    }
    throw notPython(`it has no function ${name}`);
  }

  /** Addresses of this text; the linker may have one text be the end of another. */
  #addressesOf(text: string): number[] {
    const wanted = new TextEncoder().encode(`${text}\0`);
    const found: number[] = [];
    const memory = this.#memory;
    for (let at = memory.indexOf(wanted[0]!); at >= 0; at = memory.indexOf(wanted[0]!, at + 1)) {
      if (wanted.every((byte, index) => memory[at + index] === byte)) found.push(at);
    }
    return found;
  }
}

/** Not so in what is to be linked with others while it runs. */
function isConstant(module: BinaryModule, { start }: { readonly start: number }): boolean {
  return module.bytes[start] === I32_CONST;
}

/** The number that a constant at this offset in the module has. */
function constantAt(module: BinaryModule, position: number): number {
  return new Reader(module.bytes, position).s32();
}

function notPython(reason: string): TypeError {
  return new TypeError(
    `Cannot start Python: expected CPython 3.12 for WASI, built without threads, received another module: ${reason}`,
  );
}
