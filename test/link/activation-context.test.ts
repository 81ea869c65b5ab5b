/** Which calls have an activation object of their own: it makes their waits slower. In a process of its own, since it never ends. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { CoroutineLocal, instantiate } from "stackful";
import { areContextsWatched, currentContext } from "#src/link/activation-context";
import { guestBytes } from "../conformance/harness.ts";

it("A guest with one stack does not have the calls of others watched, a CoroutineLocal does", async () => {
  const seen: unknown[] = [];
  const wait = async (): Promise<number> => {
    seen.push(currentContext());
    return 1;
  };
  const options = { backend: "transform" } as const;
  const queued = await instantiate(guestBytes("foreign-stack"), { host: { wait } }, options);
  const free = await instantiate(guestBytes("no-memory"), { host: { wait } }, options);
  await queued.getAsync("run")(1);
  await free.getAsync("run")(1);
  assert.equal(areContextsWatched(), false);
  assert.deepEqual(
    seen.map((activation) => activation !== undefined),
    [true, false, false],
  );
  assert.ok(new CoroutineLocal(() => 0).get() === 0);
  assert.equal(areContextsWatched(), true);
});
