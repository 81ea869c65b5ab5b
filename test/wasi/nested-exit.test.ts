/** Programs that exit in the middle of a call of theirs by the host: nothing of what lies around it goes on. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { instantiate, wrapAsyncWithCaller } from "stackful";
import type { Caller, Instance } from "stackful";
import { WASI, WasiExit } from "stackful/wasi";
import { assemble } from "../transform/assemble.ts";
import { onBackends } from "./programs.ts";

type Exports = Record<"_start" | "inner", () => void>;

/** Catches whatever comes out of `again`, as cleanups do, and goes on. */
const program = await assemble(`(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "host" "again" (func $again))
  (import "host" "note" (func $note))
  (memory (export "memory") 1)
  (func (export "inner") (call $exit (i32.const 3)))
  (func (export "_start")
    (try (do (call $again)) (catch_all (call $note)))
    (call $note)))`);

/** How the host calls the program once more. */
const CALLS: Readonly<Record<string, (instance: Instance<Exports>, caller: Caller) => unknown>> = {
  "a call that can wait": (instance) => instance.exports.inner(),
  "a call that cannot": (instance) => instance.sync.inner(),
  "a call through its caller": (_instance, caller) => (caller.exports["inner"] as () => unknown)(),
  "an asynchronous function": async (instance) => {
    await Promise.resolve();
    await instance.exports.inner();
  },
};

describe("proc_exit below a host function", () => {
  for (const [how, call] of Object.entries(CALLS)) {
    onBackends(`ends all of the program, in ${how}`, async (backend) => {
      const wasi = new WASI();
      const notes: string[] = [];
      let told: unknown;
      const again = async (caller: Caller): Promise<void> => {
        try {
          await call(instance, caller);
        } catch (error) {
          told = error;
          throw error;
        }
      };
      const sync = (caller: Caller): unknown => {
        try {
          return call(instance, caller);
        } catch (error) {
          told = error;
          throw error;
        }
      };
      const host = {
        note: () => void notes.push("went on"),
        again: wrapAsyncWithCaller(how.startsWith("an ") || how === "a call that can wait" ? again : sync),
      };
      const instance: Instance<Exports> = await instantiate<Exports>(program, { ...wasi.imports(), host }, { backend });
      assert.equal(await wasi.start(instance), 3);
      assert.deepEqual(notes, []);
      assert.ok(told instanceof WasiExit);
      assert.deepEqual([told.code, told.name, told.message], [3, "WasiExit", "The program has exited with code 3"]);
    });
  }
});
