import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backends, instantiate } from "stackful";

/**
 * What Binaryen makes of this text; the assembler that the other tests use knows no recursion groups.
 *
 *     (rec (type $s (struct (field i32))) (type $f (func (param i32) (result i32))))
 *     (type $open (sub (func (param i32) (result i32))))
 *     (import "host" "wait" (func $wait (type $f)))
 *     (func (export "odd") (type $f) (call $wait (local.get 0)))
 *     (func (export "open") (type $open) (i32.add (call $wait (local.get 0)) (i32.const 1)))
 *     (func (export "plain") (param i32) (result i32) (i32.add (call $wait (local.get 0)) (i32.const 2)))
 */
const GUEST = Uint8Array.from(
  Buffer.from(
    "AGFzbQEAAAABGANOAl8BfwBgAX8Bf1AAYAF/AX9gAX8BfwINAQRob3N0BHdhaXQAAQMEAwECAwcWAwNvZGQAAQRvcGVuAAIFcGxhaW4AAwocAwYAIAAQAAsJACAAEABBAWoLCQAgABAAQQJqCw==",
    "base64",
  ),
);

describe("Exports whose type stands in a recursion group, or is open for subtypes", () => {
  for (const { name: backend, available, reason } of backends()) {
    const isKnown = WebAssembly.validate(GUEST);
    const skip = available ? !isKnown && "the engine has no recursion groups" : (reason ?? false);
    it(`are called and wait on backend ${backend}`, { skip }, async () => {
      const host = { wait: async (value: number) => value * 10 };
      const { exports } = await instantiate<Record<"odd" | "open" | "plain", (value: number) => number>>(
        GUEST,
        { host },
        { backend },
      );
      assert.deepEqual(await Promise.all([exports.odd(1), exports.open(2), exports.plain(3)]), [10, 21, 32]);
    });
  }
});
