/**
 * What the counting code of a guest calls and changes: one counter, and functions that keep the code in line small.
 *
 *     $counter    (mut i32)   what is left until the host is asked; exported as "stackful:counter", so that the host can set it
 *     $refuel     imported as "stackful:preemption" "refuel": called when $counter is below 0. Gives way to the event loop, ends the
 *                 guest, or goes on; $counter is set anew then
 *
 *     (func $settle (param $owed i32)
 *       (global.set $counter (i32.sub (global.get $counter) (local.get $owed)))
 *       (if (i32.lt_s (global.get $counter) (i32.const 0)) (then (call $refuel))))
 */

import type { FunctionBuilder } from "../binary/builder.ts";
import { I32, I64 } from "../binary/value-types.ts";
import { BULK_SHIFT, PAGE_SHIFT } from "./bulk-instructions.ts";
import type { BulkOperand } from "./bulk-instructions.ts";
import type { ImportingEditor } from "../binary/importing-editor.ts";

/** Module and name of the function that a counted guest imports. Takes and returns nothing. */
export const REFUEL_MODULE = "stackful:preemption";
export const REFUEL_NAME = "refuel";
/** Name by which a counted guest exports its counter. */
export const COUNTER = "stackful:counter";

/** Nothing that is paid at once is more than this, so that the counter, and what a loop owes, never wrap around. */
export const LARGEST_PAYMENT: number = 2 ** 28;

export class Counter {
  readonly refuel: number;
  readonly global: number;
  readonly #editor: ImportingEditor;
  readonly #bulk = new Map<string, number>();
  #settle: FunctionBuilder | undefined;

  constructor(editor: ImportingEditor) {
    this.#editor = editor;
    this.refuel = editor.imported;
    // Nothing may run before the host has decided how far.
    this.global = editor.addGlobal({ type: I32, mutable: true }, (code) => code.i32Const(0));
    editor.export(COUNTER, "global", this.global);
  }

  /** `owed -> ()` */
  get settle(): number {
    if (this.#settle === undefined) {
      this.#settle = this.#editor.addFunction({ params: [I32], results: [] });
      const { code } = this.#settle;
      code.globalGet(this.global).localGet(0).i32Sub().globalSet(this.global);
      code.globalGet(this.global).i32Const(0).i32LtS().if().call(this.refuel).end();
    }
    return this.#settle.index;
  }

  /**
   * `n -> n`: pays for `n` units, as an i64 here:
   *
   *     (call $settle (i32.wrap_i64 (min_u (n << 4 >> shift) LARGEST_PAYMENT))) (local.get $n)
   *
   * The shift to the left is for pages only: there are less than 2^48 of them.
   */
  payBulk({ unit, is64 }: BulkOperand): number {
    const key = `${unit} ${is64}`;
    const known = this.#bulk.get(key);
    if (known !== undefined) return known;
    const { settle } = this;
    const type = is64 ? I64 : I32;
    const pay = this.#editor.addFunction({ params: [type], results: [type] });
    this.#bulk.set(key, pay.index);
    const cost = pay.local(I64);
    const { code } = pay;
    code.localGet(0);
    if (!is64) code.i64ExtendI32U();
    if (unit === "pages") code.i64Const(PAGE_SHIFT).i64Shl();
    else code.i64Const(BULK_SHIFT[unit]).i64ShrU();
    code.localTee(cost).i64Const(LARGEST_PAYMENT).localGet(cost).i64Const(LARGEST_PAYMENT).i64LtU().select();
    code.i32WrapI64().call(settle).localGet(0);
    return pay.index;
  }
}
