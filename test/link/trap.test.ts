/** Traps by the messages of three engines. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StackExhaustedError, Trap } from "stackful";
import type { TrapKind } from "stackful";
import { failureOf } from "#src/link/failure";
import { markTrap } from "#src/link/trap";
import { uncatchableTrap } from "#src/link/uncatchable-trap";

const RUNTIME_ERRORS: readonly (readonly [TrapKind, ...string[]])[] = [
  // V8; SpiderMonkey (js/src/js.msg, JSMSG_WASM_*); JavaScriptCore (WasmExceptionType.h)
  ["unreachable", "unreachable", "unreachable executed", "Unreachable code should not be executed (evaluating 'f()')"],
  ["divide-by-zero", "divide by zero", "integer divide by zero", "Division by zero", "remainder by zero"],
  ["integer-overflow", "divide result unrepresentable", "integer overflow", "Integer overflow"],
  [
    "invalid-conversion",
    "float unrepresentable in integer range",
    "invalid conversion to integer",
    "Out of bounds Trunc operation",
  ],
  ["memory-out-of-bounds", "memory access out of bounds", "index out of bounds", "Out of bounds memory access"],
  ["memory-out-of-bounds", "data segment out of bounds", "data segment 0 is out of bounds (offset 65536 + size 1)"],
  ["table-out-of-bounds", "table index is out of bounds", "table index out of bounds", "Out of bounds table access"],
  ["table-out-of-bounds", "element segment out of bounds", "Out of bounds call_indirect"],
  [
    "indirect-call",
    "null function or function signature mismatch",
    "indirect call to null",
    "indirect call signature mismatch",
  ],
  ["indirect-call", "call_indirect to a null table entry", "call_indirect to a signature that does not match"],
  ["null-reference", "dereferencing a null pointer", "dereferencing null pointer", "access to a null reference"],
  ["bad-cast", "illegal cast", "bad cast", "ref.cast failed to cast reference to target heap type"],
  [
    "array-out-of-bounds",
    "array element access out of bounds",
    "Out of bounds array.get",
    "requested new array is too large",
  ],
  [
    "unaligned-atomic",
    "operation does not support unaligned accesses",
    "unaligned memory access",
    "Unaligned memory access",
  ],
  ["other", "something that no engine says"],
];

describe("Trap", () => {
  for (const [kind, ...messages] of RUNTIME_ERRORS) {
    for (const message of messages) {
      it(`"${message}" is of kind ${kind}`, () => {
        const error = new WebAssembly.RuntimeError(message);
        markTrap(error);
        assert.ok(error instanceof Trap);
        assert.equal(error.kind, kind);
      });
    }
  }

  it("holds for an exhausted call stack, whatever its class", () => {
    for (const message of ["Maximum call stack size exceeded", "too much recursion"]) {
      const error = new RangeError(message);
      markTrap(error);
      assert.ok(error instanceof Trap);
      assert.equal(error.kind, "stack-overflow");
    }
  });

  it("does not hold for other errors and values, nor for errors that were not marked", () => {
    const others: unknown[] = [
      new RangeError("Invalid array length"),
      new TypeError("unreachable"),
      "unreachable",
      null,
      undefined,
      { message: "unreachable" },
    ];
    for (const other of others) {
      markTrap(other);
      assert.ok(!(other instanceof Trap), String(other));
    }
    assert.ok(!(new WebAssembly.RuntimeError("unreachable") instanceof Trap));
  });

  it("leaves an error that cannot have properties as it is", () => {
    const error = Object.freeze(new WebAssembly.RuntimeError("unreachable"));
    markTrap(error);
    assert.ok(!(error instanceof Trap));
  });
});

describe("The failure for a caller", () => {
  const trap = (): Error => new WebAssembly.RuntimeError("unreachable");

  it("is the error itself when the stack is within its bounds", () => {
    const error = trap();
    assert.equal(failureOf(error, { pointer: 1000, limit: 1000, base: 2000, isExhausted: false }), error);
    assert.equal(failureOf(error, undefined), error);
    assert.ok(error instanceof Trap);
  });

  it("is a StackExhaustedError with sizes and cause when the pointer is below the limit", () => {
    const error = trap();
    const failure = failureOf(error, { pointer: 900, limit: 1000, base: 2000, isExhausted: true });
    assert.ok(failure instanceof StackExhaustedError);
    assert.deepEqual([failure.limit, failure.needed, failure.cause], [1000, 1100, error]);
  });

  it("is one when the pointer has wrapped around zero", () => {
    const failure = failureOf(trap(), { pointer: 2 ** 32 - 100, limit: 0, base: 2000, isExhausted: true });
    assert.ok(failure instanceof StackExhaustedError);
    assert.equal(failure.needed, 2100);
  });

  it("is never one for what is no trap", () => {
    for (const error of [null, undefined, 5, new Error("host"), {}]) {
      assert.equal(failureOf(error, { pointer: 0, limit: 1000, base: 2000, isExhausted: true }), error);
    }
  });
});

describe("The uncatchable trap", () => {
  it("is one object, made by the engine", () => {
    assert.equal(uncatchableTrap(), uncatchableTrap());
    assert.ok(uncatchableTrap() instanceof WebAssembly.RuntimeError);
  });
});
