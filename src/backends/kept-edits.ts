/** Keeps what edits have made of large guests, where users want that kept. */

import { makeEdit } from "../link/module-edit.ts";
import type { EditModule } from "../link/module-edit.ts";
import { editCached } from "../transform/cached-edit.ts";
import type { CacheOption } from "./transformed-guest.ts";

/** Smaller ones are edited in less time than it takes to find what was made of them. */
const MIN_BYTES = 2 ** 20;

/** Only where `cache` says: the memory of this process is for what takes longer still. */
export function keepingEdits(cache: CacheOption | undefined): EditModule {
  if (cache === undefined || cache === false) return makeEdit;
  return (bytes, edit) => (bytes.length < MIN_BYTES ? edit.make() : editCached(bytes, edit, cache));
}
