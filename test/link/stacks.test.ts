/** Regions, records and blocks without a guest. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AllocatedRegions, GrownRegions } from "#src/link/region-source";
import { StackPool } from "#src/link/stacks";
import type { RegionSource } from "#src/link/stacks";
import {
  BASE,
  GENERATION,
  LIMIT,
  giveBackBlock,
  readAddress,
  readWord,
  takeBlock,
  writeAddress,
  writeWord,
} from "#src/link/switchboard";
import { errorOf } from "../conformance/harness.ts";

const PAGE = 65536;

describe("GrownRegions", () => {
  it("fills what it has grown before it grows again", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const regions = new GrownRegions(memory, false);
    const addresses = Array.from({ length: 8 }, () => regions.allocate(PAGE / 4)!);
    assert.deepEqual(
      addresses,
      Array.from({ length: 8 }, (_, at) => PAGE + (at * PAGE) / 4),
    );
    assert.equal(memory.buffer.byteLength, 3 * PAGE);
  });

  it("uses freed regions of the same size again", () => {
    const regions = new GrownRegions(new WebAssembly.Memory({ initial: 0 }), false);
    const [first, second] = [regions.allocate(1024)!, regions.allocate(2048)!];
    regions.free(first, 1024);
    assert.notEqual(regions.allocate(2048), first);
    assert.equal(regions.allocate(1024), first);
    regions.free(second, 2048);
    assert.equal(regions.allocate(2048), second);
  });

  it("never hands out pages that the guest has grown", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const regions = new GrownRegions(memory, false);
    assert.equal(regions.allocate(PAGE / 2), PAGE);
    memory.grow(3);
    const next = regions.allocate(PAGE);
    assert.ok(next === 5 * PAGE, String(next));
    assert.equal(regions.allocate(2 * PAGE), 6 * PAGE);
  });

  it("has no room when the memory cannot grow, and says so without an error", () => {
    const regions = new GrownRegions(new WebAssembly.Memory({ initial: 1, maximum: 2 }), false);
    assert.equal(regions.allocate(2 * PAGE), undefined);
    assert.equal(regions.allocate(PAGE), PAGE);
    assert.equal(regions.allocate(16), undefined);
  });
});

describe("AllocatedRegions", () => {
  const calls: unknown[][] = [];
  const functions = (address: number | bigint): ConstructorParameters<typeof AllocatedRegions>[2] => ({
    allocate: (...args) => {
      calls.push(["allocate", ...args]);
      return address;
    },
    free: (...args) => {
      calls.push(["free", ...args]);
      return undefined;
    },
  });
  const malloc = { allocate: 0, free: 1, passesAlignment: false };

  it("aligns what malloc gives and frees what malloc gave", () => {
    calls.length = 0;
    const regions = new AllocatedRegions(malloc, false, functions(1008 - 8));
    assert.equal(regions.allocate(1024), 1008);
    regions.free(1008, 1024);
    regions.free(1008, 1024);
    assert.deepEqual(calls, [
      ["allocate", 1040],
      ["free", 1000],
    ]);
  });

  it("passes alignments and bigints where they are wanted", () => {
    calls.length = 0;
    const regions = new AllocatedRegions({ ...malloc, passesAlignment: true }, true, functions(2n ** 33n));
    assert.equal(regions.allocate(1024), 2 ** 33);
    regions.free(2 ** 33, 1024);
    assert.deepEqual(calls, [
      ["allocate", 1040n, 16n],
      ["free", 2n ** 33n, 1040n, 16n],
    ]);
  });

  it("reads addresses above 2 GiB as unsigned, and 0 as no room", () => {
    assert.equal(new AllocatedRegions(malloc, false, functions(-65536)).allocate(1024), 2 ** 32 - 65536);
    assert.equal(new AllocatedRegions(malloc, false, functions(0)).allocate(1024), undefined);
  });
});

describe("StackPool", () => {
  function make(
    kind: "regions" | "none" | "single",
    rooms = Infinity,
  ): { pool: StackPool; freed: number[]; memory: WebAssembly.Memory } {
    const freed: number[] = [];
    let next = 0;
    const source: RegionSource = {
      allocate: (bytes) => (next + bytes > rooms ? undefined : (next += bytes) - bytes + PAGE),
      free: (address) => void freed.push(address),
    };
    const memory = new WebAssembly.Memory({ initial: 4 });
    return {
      pool: new StackPool({ kind, source, memory: () => memory }, { bytes: 1030, capacity: 3, measure: true }),
      freed,
      memory,
    };
  }

  it("gives the guest's own stack first, then regions up to the capacity", () => {
    const { pool } = make("regions");
    const records = Array.from({ length: 5 }, () => pool.take());
    assert.deepEqual([records.at(-1), new Set(records.slice(0, 4)).size], [0, 4]);
    assert.deepEqual([pool.size, pool.stackBytes], [3, 1040]);
    pool.giveBack(records[2]!);
    assert.equal(pool.take(), records[2]);
    assert.equal(pool.reused, 1);
    pool.giveBack(records[0]!);
    assert.equal(pool.take(), records[0]);
  });

  it("leaves 128 bytes below the limit of a region", () => {
    const { pool } = make("regions");
    pool.take();
    const record = pool.take();
    assert.deepEqual([readAddress(record, LIMIT), readAddress(record, BASE)], [PAGE + 128, PAGE + 1040]);
  });

  it("has no further stack when there is no room, or only one", () => {
    const full = make("regions", 1500).pool;
    assert.deepEqual([full.take() > 0, full.take() > 0, full.take()], [true, true, 0]);
    const single = make("single").pool;
    assert.deepEqual([single.take() > 0, single.take(), single.isSingle], [true, 0, true]);
  });

  it("opens stacks of any size and frees their memory", () => {
    const { pool, freed } = make("regions");
    const stack = pool.open(5000);
    assert.deepEqual([stack.bytes, stack.inUse, stack.uses, pool.opened, pool.size], [5008, false, 0, 1, 0]);
    stack.free();
    assert.deepEqual([freed, pool.opened], [[PAGE], 0]);
  });

  it("measures how much of a region was ever written, from its top", () => {
    const { pool, memory } = make("regions");
    const stack = pool.open(2048);
    assert.equal(stack.highWaterBytes, 0);
    new Uint8Array(memory.buffer)[PAGE + 2048 - 100] = 1;
    assert.equal(stack.highWaterBytes, 100);
    assert.equal(pool.highWaterBytes, 0);
    stack.free();
  });
});

describe("The switchboard", () => {
  it("gives blocks that are zero and have a generation of their own", () => {
    const block = takeBlock();
    const generation = readWord(block, GENERATION);
    writeWord(block, LIMIT, 7);
    giveBackBlock(block);
    const again = takeBlock();
    assert.equal(again, block);
    assert.deepEqual([readWord(again, LIMIT), readWord(again, GENERATION)], [0, generation + 1]);
    giveBackBlock(again);
  });

  it("keeps addresses of 64-bit memories", () => {
    const block = takeBlock();
    for (const address of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5, 2 ** 53 - 1]) {
      writeAddress(block, BASE, address);
      assert.equal(readAddress(block, BASE), address);
    }
    giveBackBlock(block);
  });

  it("has a limit, which is a RangeError, and room again when blocks were given back", () => {
    const taken: number[] = [];
    const fill = (): void => {
      for (;;) taken.push(takeBlock());
    };
    assert.match(
      String(errorOf(fill)),
      /RangeError: Cannot link guest: \d+ guests and stacks exist, which is the limit/,
    );
    assert.equal(new Set(taken).size, taken.length);
    for (const block of taken) giveBackBlock(block);
    giveBackBlock(takeBlock());
  });
});
