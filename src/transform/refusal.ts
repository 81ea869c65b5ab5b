/** The error for what the compiler cannot transform: raised before anything runs, never a wrong module. */

/** A module uses something that cannot be transformed. */
export class TransformError extends Error {
  override readonly name = "TransformError";
  /** Name or index of the function. */
  readonly functionName: string;
  /** The instruction, as in WebAssembly text, or the construct that cannot be transformed. */
  readonly instruction: string;

  constructor(functionName: string, instruction: string, reason: string) {
    super(`Cannot make ${functionName} suspendable: ${instruction}: ${reason}`);
    this.functionName = functionName;
    this.instruction = instruction;
  }
}

/** Refuses a function because of one of its instructions. */
export type Refuse = (functionIndex: number, opcode: number, reason: string) => never;
