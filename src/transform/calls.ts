/** What a call instruction calls, and whether it may suspend. */

import type { FunctionType } from "../binary/extern-types.ts";
import type { InstructionReader } from "../binary/instructions.ts";
import { functionType } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { opcode } from "../binary/opcodes.ts";
import { isReference } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";
import { CALL_OPCODE } from "./operations.ts";

const RETURN_CALL = opcode("return_call");
const RETURN_CALL_REF = opcode("return_call_ref");
const CALL_REF = opcode("call_ref");
const RETURN = 0x0f;
const END = 0x0b;

/** Whether the call names its function, rather than a type of functions. */
export function isDirect(opcodeNumber: number): boolean {
  return opcodeNumber === CALL_OPCODE || opcodeNumber === RETURN_CALL;
}

/** The opcode of the call with the same immediates as a tail call. */
export function plainCall(tailCall: number): number {
  return tailCall === RETURN_CALL_REF ? CALL_REF : tailCall - RETURN_CALL + CALL_OPCODE;
}

/** Operands and results of the current instruction of `reader`, a call. */
export function calledType(module: BinaryModule, reader: InstructionReader): FunctionType {
  const index = reader.index();
  if (isDirect(reader.opcode)) return functionType(module, index);
  const type = module.types[index];
  if (type?.kind !== "func") return reader.fail("the index of a function type", reader.immediates);
  return type;
}

/**
 * Whether the current call of `reader` is the last thing the function does, so that unwinding through it needs no frame:
 * whoever called this function continues with the same results.
 */
export function isTailSite(
  reader: InstructionReader,
  isOutermost: boolean,
  [callResults, functionResults]: readonly [readonly ValueType[], readonly ValueType[]],
): boolean {
  const next = reader.bytes[reader.position];
  if (next !== RETURN && !(next === END && isOutermost)) return false;
  return (
    callResults.length === functionResults.length &&
    callResults.every((type, position) => type === functionResults[position])
  );
}

/** Which calls may suspend; call-graph.ts finds out. */
export class SuspendableCalls {
  /** Function index → whether it may suspend. */
  readonly functions: Uint8Array;
  /** Type index → whether a function that is called through a table or reference by this type may suspend. */
  readonly types: Uint8Array;
  /** Excluded functions that call something which may suspend. */
  readonly guarded: ReadonlySet<number>;

  constructor(functions: Uint8Array, types: Uint8Array, guarded: ReadonlySet<number> = new Set()) {
    this.functions = functions;
    this.types = types;
    this.guarded = guarded;
  }

  /** Whether the current instruction of `reader`, a call, may suspend. */
  maySuspend(reader: InstructionReader): boolean {
    const index = reader.index();
    return (isDirect(reader.opcode) ? this.functions[index] : this.types[index]) === 1;
  }
}

/**
 * A name for all function types that might be called by each other's type: how many of which numbers. References are all
 * the same here, because equality and subtyping of their types is the engine's business.
 */
export function shapeOfType({ params, results }: FunctionType): string {
  const letter = (type: ValueType): string => (isReference(type) ? "r" : String.fromCharCode(type));
  return `${params.map(letter).join("")}>${results.map(letter).join("")}`;
}
