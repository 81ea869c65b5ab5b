/** Guests of Emscripten, whose `setjmp` and `longjmp` would be done by JavaScript: calls below a `setjmp` wait like all others. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import type { HostImports, Instance } from "stackful";
import { Doors, errorOf, guestBytes, permutations, rejection, turn } from "./harness.ts";
import type { Functions, Suite } from "./harness.ts";

type Jumps = Functions<"escape" | "no_jump" | "retry" | "jump_out" | "jump_over_host" | "jump_past" | "stackSave">;

const GUEST = "setjmp-emscripten";

/** What Emscripten's JavaScript would give the guest. None of it may be called. */
function unusedGlue(): Record<string, () => never> {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(guestBytes(GUEST)));
  const names = imports.filter(({ module }) => module === "env").map(({ name }) => name);
  assert.ok(names.includes("_emscripten_throw_longjmp") && names.some((name) => name.startsWith("invoke_")));
  return Object.fromEntries(
    names.map((name) => [
      name,
      () => {
        throw new Error(`env.${name} was called`);
      },
    ]),
  );
}

class JumpingGuest {
  readonly doors = new Doors();
  instance!: Instance<Jumps>;
  /** What the guest's `call_back` does. */
  callBack: (id: number) => unknown = () => 0;

  static async instantiate(suite: Suite): Promise<JumpingGuest> {
    const guest = new JumpingGuest();
    const host: HostImports[string] = { wait: guest.doors.wait, call_back: (id: number) => guest.callBack(id) };
    guest.instance = await suite.instantiate<Jumps>(GUEST, { env: unusedGlue(), host });
    await guest.instance.function("_initialize").call([]);
    return guest;
  }

  /** Fails if a call has left the stack pointer elsewhere. */
  async untouched(body: () => Promise<void>): Promise<void> {
    const before = this.instance.sync.stackSave();
    await body();
    assert.equal(this.instance.sync.stackSave(), before, "the stack pointer is where it was");
  }
}

export function longjmp(suite: Suite): void {
  describe("a guest with the setjmp of Emscripten", () => {
    suite.it("jumps across waits, in every order", async () => {
      const guest = await JumpingGuest.instantiate(suite);
      const { exports } = guest.instance;
      await guest.untouched(async () => {
        for (const order of permutations([1, 2, 3, 4])) {
          const results = [1, 2, 3, 4].map((id) => exports.escape(id, 3));
          for (const step of [0, 1]) {
            for (const id of order) {
              guest.doors.open(id, id + step);
              await turn();
            }
          }
          assert.deepEqual(await Promise.all(results), [1002, 2003, 3004, 4005], order.join(" "));
        }
      });
    });

    suite.it("jumps back as often as it likes", async () => {
      const { doors, instance } = await JumpingGuest.instantiate(suite);
      const results = [instance.exports.retry(1, 5), instance.exports.retry(2, 3)];
      for (let step = 1; step <= 5; step++) {
        doors.open(1, step);
        doors.open(2, step);
        await turn();
      }
      assert.deepEqual(await Promise.all(results), [5, 3]);
    });

    suite.it("returns through a place to jump to that nobody jumped to", async () => {
      const { doors, instance } = await JumpingGuest.instantiate(suite);
      const result = instance.exports.no_jump(1);
      doors.open(1, 42);
      assert.equal(await result, 42);
    });

    suite.it("jumps past a function with a place of its own", async () => {
      const { doors, instance } = await JumpingGuest.instantiate(suite);
      const results = [1, 2].map((id) => instance.exports.jump_past(id));
      for (const id of [2, 1, 1, 2]) doors.open(id, id * 10);
      assert.deepEqual(await Promise.all(results), [20, 40]);
    });

    suite.it("jumps over a function of the host", async () => {
      const guest = await JumpingGuest.instantiate(suite);
      const { exports, sync } = guest.instance;
      await guest.untouched(async () => {
        guest.callBack = () => sync.jump_out(77);
        assert.equal(await exports.jump_over_host(1), 77);
        guest.callBack = async () => {
          await turn();
          await exports.jump_out(78);
        };
        assert.equal(await exports.jump_over_host(1), 78);
        guest.callBack = () => 5;
        assert.equal(await exports.jump_over_host(1), -5);
      });
    });

    suite.it("lets errors of the host pass, with their identity", async () => {
      const guest = await JumpingGuest.instantiate(suite);
      const { exports, sync } = guest.instance;
      const failure = new Error("of the host");
      await guest.untouched(async () => {
        for (const thrown of [failure, 7, Infinity]) {
          guest.callBack = () => {
            throw thrown;
          };
          assert.equal(
            errorOf(() => sync.jump_over_host(1)),
            thrown,
          );
          guest.callBack = () => Promise.reject(thrown);
          assert.equal(await rejection(exports.jump_over_host(1)), thrown);
        }
      });
      guest.callBack = () => 5;
      assert.equal(sync.jump_over_host(1), -5);
    });

    suite.it("is ended where it waits below a place to jump to", async () => {
      const { doors, instance } = await JumpingGuest.instantiate(suite);
      const controller = new AbortController();
      const ended = instance.function("escape").call([1, 3], { signal: controller.signal });
      const other = instance.exports.escape(2, 3);
      await turn();
      controller.abort(new Error("enough"));
      assert.equal(((await rejection(ended)) as Error).message, "enough");
      for (const answer of [3, 4]) doors.open(2, answer);
      assert.equal(await other, 3004);
    });
  });
}
