/**
 * Sites: a call that may suspend, and how its function finds out that it did.
 *
 *     call $f
 *     i32.const SITE+1  global.get $state  br_if $save  drop
 *
 * A function that suspends returns zeros. When there is no such value, because a result is a reference that cannot be null,
 * it throws instead; that takes a few hundred nanoseconds, once for each time such a frame is saved:
 *
 *     try (param …) (result …)            block $called (param …) (result …)
 *       call $f                             block $suspended (param …)
 *     catch $unwind                           try_table (param …) (result …) (catch $unwind $suspended)
 *       i32.const SITE+1  br $save              call $f
 *     end                                     end
 *                                             br $called
 *                                           end
 *                                           i32.const SITE+1  br $save
 *                                         end
 *
 * The first form is the legacy one, which more engines have; but one module cannot have both.
 */

import { opcode } from "../binary/opcodes.ts";
import type { Range } from "../binary/instructions.ts";
import { isDefaultable } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import type { Writer } from "../binary/writer.ts";
import type { FirstModule } from "./first-module.ts";
import type { FunctionShape } from "./function-shape.ts";

const BLOCK = opcode("block");
const TRY = opcode("try");
const CATCH = opcode("catch");
const TRY_TABLE = opcode("try_table");
const END = opcode("end");
const BR = opcode("br");
const BR_IF = opcode("br_if");
const DROP = opcode("drop");
const THROW = opcode("throw");
const I32_CONST = opcode("i32.const");
const GLOBAL_GET = opcode("global.get");

/** The call in the bytes of the module, and the label of the block that ends where the frame is saved. */
interface SiteCode {
  readonly call: Range;
  readonly save: number;
}

/** Whether a function with these results has to throw in order to suspend. */
export function unwindsByException(results: readonly ValueType[]): boolean {
  return !results.every(isDefaultable);
}

export class SiteWriter {
  readonly #first: FirstModule;
  readonly #state: number;
  /** Whether the module catches exceptions with `try_table`. */
  readonly #usesTryTable: boolean;
  #tag: number | undefined;

  constructor(first: FirstModule, state: number, usesTryTable: boolean) {
    this.#first = first;
    this.#state = state;
    this.#usesTryTable = usesTryTable;
  }

  /** The tag of the exception; undefined when nothing throws it. */
  get tag(): number | undefined {
    return this.#tag;
  }

  #unwindTag(): number {
    return (this.#tag ??= this.#first.addTag([]));
  }

  /** For the end of a function whose results are not all defaultable. */
  writeThrow(writer: Writer): void {
    writer.u8(THROW);
    writer.u32(this.#unwindTag());
  }

  write(writer: Writer, shape: FunctionShape, site: number, code: SiteCode): void {
    const { params, results } = shape.sites[site]!;
    const { bytes } = this.#first.module;
    if (unwindsByException(results)) {
      const type = this.#first.type({ params, results });
      if (this.#usesTryTable) this.#writeTryTable(writer, site, code, { type, params });
      else this.#writeTry(writer, site, code, type);
      return;
    }
    writer.bytes(bytes, code.call.start, code.call.end);
    writeSite(writer, site);
    writer.u8(GLOBAL_GET);
    writer.u32(this.#state);
    writer.u8(BR_IF);
    writer.u32(code.save);
    writer.u8(DROP);
  }

  #writeTry(writer: Writer, site: number, { call, save }: SiteCode, type: number): void {
    writer.u8(TRY);
    writer.s33(type);
    writer.bytes(this.#first.module.bytes, call.start, call.end);
    writer.u8(CATCH);
    writer.u32(this.#unwindTag());
    writeSite(writer, site);
    writer.u8(BR);
    writer.u32(save + 1);
    writer.u8(END);
  }

  #writeTryTable(
    writer: Writer,
    site: number,
    { call, save }: SiteCode,
    { type, params }: { type: number; params: readonly ValueType[] },
  ): void {
    writer.u8(BLOCK);
    writer.s33(type);
    writer.u8(BLOCK);
    writer.s33(this.#first.type({ params, results: [] }));
    writer.u8(TRY_TABLE);
    writer.s33(type);
    // One clause, `catch`, to the block around.
    for (const byte of [1, 0]) writer.u8(byte);
    writer.u32(this.#unwindTag());
    writer.u32(0);
    writer.bytes(this.#first.module.bytes, call.start, call.end);
    writer.u8(END);
    writer.u8(BR);
    writer.u32(1);
    writer.u8(END);
    writeSite(writer, site);
    writer.u8(BR);
    writer.u32(save + 1);
    writer.u8(END);
  }
}

function writeSite(writer: Writer, site: number): void {
  writer.u8(I32_CONST);
  writer.s32(site + 1);
}
