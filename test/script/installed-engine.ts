/** Engines that are too large for everybody who runs the tests: `npm run differential` and `npm run wasi` install them. */

import { existsSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

/** Tests are started in the root of the repository. */
const PLACES = ["node_modules", "test/programs/packages/node_modules"];

/** Where a file of a package is; `undefined`: it is not installed. */
export function findInstalled(file: string): URL | undefined {
  const found = PLACES.map((place) => path.resolve(place, file)).find((candidate) => existsSync(candidate));
  return found === undefined ? undefined : pathToFileURL(found);
}
