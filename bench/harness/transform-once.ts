/** Transforms the module in the given file, and prints the milliseconds: a process of its own, in which nothing is warm. */

import { readFileSync } from "node:fs";
import { transformModule } from "#src/transform/transform-module";

const bytes = readFileSync(process.argv[2]!);
const start = performance.now();
transformModule(bytes);
console.log(performance.now() - start);
