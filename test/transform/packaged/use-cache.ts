/** Uses the cache in the given directory many times: one of several processes that do so at the same time. */

import assert from "node:assert/strict";
import { transformCached } from "#src/transform/cached-transform";
import { moduleCache } from "#src/transform/module-cache";
import { assemble } from "../assemble.ts";
import { RAN, TEXT, run } from "./guest.ts";

const guest = Uint8Array.from(await assemble(TEXT));
const cache = moduleCache({ directory: process.argv[2]!, onError: console.error });
for (let time = 0; time < 50; time++) {
  assert.deepEqual(run(await transformCached(guest, {}, cache)), RAN);
  // Lets it be written; the next one finds it, or another process's.
  await new Promise((done) => setTimeout(done, time % 3));
}
console.log("ok");
