/**
 * What stands in a guest for `memory.atomic.wait32`, `wait64` and `notify`: a function for each instruction, memory and offset.
 *
 *     (func $wait32 (param $address i32) (param $expected i32) (param $timeout i64) (result i32) (local $result i32)
 *       (if (i32.ne (i32.atomic.load offset=… (local.get $address)) (local.get $expected)) (then (return (i32.const 1))))
 *       (if (i64.eqz (local.get $timeout)) (then (return (i32.const 2))))
 *       (loop $again
 *         (local.set $result (call $wait (i32.const PLACE) <effective address as f64>
 *           (local.get $expected) (i32.const 0) (f64.convert_i64_s (local.get $timeout))))
 *         (br_if $again (i32.eq (local.get $result) (i32.const 3))))
 *       (local.get $result))
 *
 *     (func $notify (param $address i32) (param $count i32) (result i32) (local $woken i32)
 *       (local.set $woken (memory.atomic.notify offset=… (local.get $address) (local.get $count)))
 *       (i32.add (local.get $woken)
 *         (call $wake (i32.const PLACE) <effective address as f64> (i32.sub (local.get $count) (local.get $woken)))))
 *
 * The load traps where the instruction would: beyond the memory, and where the address is not aligned. It is the host that waits,
 * with the guest suspended. The instruction `notify` itself is for threads of the engine's that wait in the same memory.
 *
 * PLACE is 2 * the number of the memory among the shared ones, plus 1 if the value has 64 bits.
 */

import type { Code, MemoryArgument } from "../binary/code.ts";
import type { FunctionType } from "../binary/extern-types.ts";
import type { ImportingEditor } from "../binary/importing-editor.ts";
import { F64, I32, I64 } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";

/** Module and names of the functions that such a guest imports. */
export const ATOMICS_MODULE = "stackful:atomics";
export const WAIT_NAME = "wait";
export const WAKE_NAME = "wake";

/** `place, address, low and high half of the expected value, nanoseconds -> result`; nanoseconds below 0: no limit. */
export const WAIT_TYPE: FunctionType = { params: [I32, F64, I32, I32, F64], results: [I32] };
/** `place, address, count -> woken` */
export const WAKE_TYPE: FunctionType = { params: [I32, F64, I32], results: [I32] };

/** Results of the instructions, and one more of the host: the guest is to call it again. */
export const WOKEN = 0;
export const NOT_EQUAL = 1;
export const TIMED_OUT = 2;
export const CALL_AGAIN = 3;

export type WaitingInstruction = "wait32" | "wait64" | "notify";

/** Which memory an instruction is about, and where in it. */
export interface MemoryPlace {
  readonly memory: number;
  readonly offset: bigint;
  readonly is64: boolean;
  /** Its number among the shared memories. */
  readonly sharedIndex: number;
}

/** The functions of one module, each made when it is asked for. */
export class WaitingFunctions {
  readonly #editor: ImportingEditor;
  readonly #made = new Map<string, number>();

  /** `editor` imports $wait and $wake first. */
  constructor(editor: ImportingEditor) {
    this.#editor = editor;
  }

  for(instruction: WaitingInstruction, place: MemoryPlace): number {
    const key = `${instruction} ${place.memory} ${place.offset}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const index = instruction === "notify" ? this.#addNotify(place) : this.#addWait(instruction === "wait64", place);
    this.#made.set(key, index);
    return index;
  }

  #addWait(isWide: boolean, place: MemoryPlace): number {
    const address: ValueType = place.is64 ? I64 : I32;
    const value = isWide ? I64 : I32;
    const wait = this.#editor.addFunction({ params: [address, value, I64], results: [I32] });
    const result = wait.local(I32);
    const { code } = wait;
    const argument: MemoryArgument = { memory: place.memory, offset: place.offset };
    code.localGet(0);
    if (isWide) code.i64AtomicLoad(argument).localGet(1).i64Ne();
    else code.i32AtomicLoad(argument).localGet(1).i32Ne();
    code.if().i32Const(NOT_EQUAL).return().end();
    code.localGet(2).i64Eqz().if().i32Const(TIMED_OUT).return().end();
    code.loop();
    const again = code.label();
    code.i32Const(place.sharedIndex * 2 + (isWide ? 1 : 0));
    emitAddress(code, place).localGet(1);
    if (isWide) code.i32WrapI64().localGet(1).i64Const(32).i64ShrU().i32WrapI64();
    else code.i32Const(0);
    code.localGet(2).f64ConvertI64S().call(this.#editor.imported).localTee(result);
    code.i32Const(CALL_AGAIN).i32Eq().brIf(again).end().localGet(result);
    return wait.index;
  }

  #addNotify(place: MemoryPlace): number {
    const address: ValueType = place.is64 ? I64 : I32;
    const notify = this.#editor.addFunction({ params: [address, I32], results: [I32] });
    const woken = notify.local(I32);
    const { code } = notify;
    code.localGet(0).localGet(1).memoryAtomicNotify({ memory: place.memory, offset: place.offset }).localTee(woken);
    code.i32Const(place.sharedIndex * 2);
    emitAddress(code, place).localGet(1).localGet(woken).i32Sub();
    code.call(this.#editor.imported + 1).i32Add();
    return notify.index;
  }
}

/** The sum does not wrap around: it is an address that could just be read. */
function emitAddress(code: Code, { offset, is64 }: MemoryPlace): Code {
  code.localGet(0);
  if (!is64) code.i64ExtendI32U();
  return code.i64Const(BigInt.asIntN(64, offset)).i64Add().f64ConvertI64U();
}
