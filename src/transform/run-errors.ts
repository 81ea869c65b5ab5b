/** Why a stack could not be suspended: errors of the driver, besides those of the guest. */

/** The frames of one suspended stack need more bytes than they may have. The stack is gone; others are not touched. */
export class AreaExhaustedError extends RangeError {
  override readonly name = "AreaExhaustedError";
  readonly needed: number;
  readonly limit: number;

  constructor(needed: number, limit: number) {
    super(`Cannot suspend: the frames of this stack need ${needed} bytes, the limit is ${limit}`);
    this.needed = needed;
    this.limit = limit;
  }
}

/** A suspension came to a function that was excluded from suspending. The stack is gone; others are not touched. */
export class ExcludedFunctionError extends Error {
  override readonly name = "ExcludedFunctionError";
  /** Name or index of the function. */
  readonly functionName: string;

  constructor(functionName: string) {
    super(`Cannot suspend: ${functionName} is on the stack, which is excluded from suspending`);
    this.functionName = functionName;
  }
}
