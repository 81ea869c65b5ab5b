/** Programs that are called where nobody can wait for them: what is there at once is answered at once, however long that goes on. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { instantiate } from "stackful";
import { WASI } from "stackful/wasi";
import { assemble } from "../transform/assemble.ts";
import { ManualInput } from "./manual-streams.ts";
import { onBackends } from "./programs.ts";

/** Makes one call again and again. */
const library = await assemble(`(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_set_flags" (func $flags (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (import "host" "go-on" (func $go-on (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\\01")
  (func (export "poll") (result i32) (local $errno i32)
    (loop $again
      (local.set $errno (call $poll (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 256)))
      (br_if $again (call $go-on)))
    (local.get $errno))
  (func (export "read") (result i32) (local $errno i32)
    (drop (call $flags (i32.const 0) (i32.const 4)))
    (loop $again
      (local.set $errno (call $read (i32.const 0) (i32.const 512) (i32.const 1) (i32.const 256)))
      (br_if $again (call $go-on)))
    (local.get $errno))
  (func (export "yield") (result i32) (call $yield))
  (data (i32.const 512) "\\00\\04\\00\\00\\08\\00\\00\\00"))`);

const EAGAIN = 6;

describe("A program that is called synchronously", () => {
  onBackends("is answered at once, also when it has asked for longer than a turn may last", async (backend) => {
    const wasi = new WASI({ stdin: new ManualInput() });
    let end = 0;
    const host = { "go-on": () => (performance.now() < end ? 1 : 0) };
    const { sync } = await instantiate<Record<"poll" | "read" | "yield", () => number>>(
      library,
      { ...wasi.imports(), host },
      { backend },
    );
    for (const [name, errno] of [
      ["poll", 0],
      ["read", EAGAIN],
      ["yield", 0],
    ] as const) {
      end = performance.now() + 20;
      assert.equal(sync[name](), errno, name);
    }
  });
});
