/**
 * Whether there is room on the native stack to start something.
 *
 * A guest whose host function calls it back again and again comes to the end of that stack, and guests can have this happen
 * whenever they like. If it overflows between two steps of a switch, the activation is never ended: its stack and its place among
 * the live ones, of which there are so many for all guests, are lost. So a nested activation begins where there is room for all its
 * switches, and for the end of one that fails; what the guest itself runs into is an error like any other.
 */

import { CURRENT, words } from "./switchboard.ts";

/**
 * As many arguments as there have to be words of 8 bytes. (Frames of a recursion are merged by optimising compilers.) What has never run
 * needs more: V8 compiles no function with less than 40 KiB, which would take 2 µs to find out every time.
 */
const FILLER: readonly unknown[] = Array.from({ length: 1024 }, () => 0);

/** @throws {RangeError} the engine's own, when a call from within a guest has too little of the native stack left. Costs 0.5 µs there */
export function requireNativeStack(): void {
  if (words[CURRENT >> 2] !== 0) Reflect.apply(takeAll, undefined, FILLER);
}

function takeAll(): void {}
