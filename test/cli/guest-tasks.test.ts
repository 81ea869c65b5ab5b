/** Programs that include stackful.h, run by `stackful run`. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { backends } from "stackful";
import { scratchFolder, stackful } from "./run-cli.ts";

process.env["STACKFUL_CACHE_DIR"] = path.join(scratchFolder(), "cache");

const skip = backends().some(({ available }) => available) ? false : "this runtime has no backend";
const example = (name: string): string => `examples/c/${name}.wasm`;
const CASES = fileURLToPath(new URL("../guests/tasks-cases.wasm", import.meta.url));

/** A module without its custom sections, as linkers write it that are told to strip all. */
function withoutNames(module: Uint8Array): Uint8Array {
  const kept = [module.subarray(0, 8)];
  for (let start = 8, end = start; start < module.length; start = end) {
    let size = 0;
    let at = start + 1;
    for (let shift = 0, more = true; more; shift += 7) {
      size += (module[at]! & 0x7f) * 2 ** shift;
      more = module[at++]! >= 0x80;
    }
    end = at + size;
    if (module[start] !== 0) kept.push(module.subarray(start, end));
  }
  return Buffer.concat(kept);
}

describe("stackful run, with a program that includes stackful.h", { skip }, () => {
  it("gives it tasks, channels and locks", async () => {
    const { stdout, stderr, code } = await stackful("run", example("spawn"));
    assert.deepEqual([stdout.toString(), stderr, code], ["sum of squares: 30\njoined twice: no such task\n", "", 0]);
  });

  it("says which tasks wait for each other", async () => {
    const { stderr, code } = await stackful("run", example("deadlock"));
    assert.match(
      stderr,
      /^error: Cannot go on: the tasks wait for each other\n( {2}(first|second) waits for mutex \d+, held by (first|second).*\n){2}$/,
    );
    assert.equal(code, 134);
  });

  it("ends with the exit code that a task gives", async () => {
    const { stdout, stderr, code } = await stackful("run", CASES, "exit");
    assert.deepEqual([stdout.toString(), stderr, code], ["", "", 7]);
  });

  it("fails with the trap of a task", async () => {
    const { stderr, code } = await stackful("run", CASES, "trap");
    assert.match(stderr, /^error: the program was ended by a trap in bad: .*\n {4}at trap\n/);
    assert.equal(code, 134);
  });

  it("says which task has exhausted its stack, and gives larger ones", async () => {
    const failed = await stackful("run", CASES, "deep", "100");
    assert.match(
      failed.stderr,
      /^error: diver has exhausted its stack of 65,\d+ bytes: give tasks larger ones, such as '--task-stack 1024K'\n {4}at go_down\n/,
    );
    assert.equal(failed.code, 134);
    const { stdout, stderr, code } = await stackful("run", "--task-stack", "1M", CASES, "deep", "1000");
    assert.deepEqual([stdout.toString(), stderr, code], ["1000 calls\n", "", 0]);
    const refused = await stackful("run", "--task-stack", "10", CASES, "deep", "1");
    assert.match(refused.stderr, /invalid value '10' for '--task-stack <size>': expected a size from 1K to 1G/);
  });

  it("says what a program without names needs", async () => {
    const file = path.join(scratchFolder(), "stripped.wasm");
    writeFileSync(file, withoutNames(readFileSync(CASES)));
    const { stderr, code } = await stackful("run", file, "many", "2");
    assert.match(
      stderr,
      /^error: Cannot spawn: .*, and no allocator was found; .* needs -Wl,--export=malloc,--export=free\n/,
    );
    assert.equal(code, 134);
  });

  it("says that the program has cancelled its main task", async () => {
    const { stderr, code } = await stackful("run", CASES, "cancel-main");
    assert.match(stderr, /^error: the program has cancelled its main task\n/);
    assert.equal(code, 134);
  });

  it("gives each copy tasks of its own", async () => {
    const { stdout, code } = await stackful("run", "--copies", "20", example("semaphore"));
    const printed = stdout.toString().split("\n").toSorted();
    assert.deepEqual(printed, ["", ...Array(20).fill("at most 3 of 10 at once"), ...Array(20).fill("full: 1")]);
    assert.equal(code, 0);
  });
});
