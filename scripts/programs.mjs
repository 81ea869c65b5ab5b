/**
 * Runs the programs of one folder on the sources, one after the other: all, or those whose names hold a given word.
 *
 * `npm run bench -- switch`, `npm run examples -- hello`; flags go to the programs: `npm run bench -- switch --json`
 */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { root } from "./nodes.mjs";
import { runOnSources } from "./run.mjs";

const [folder, ...rest] = process.argv.slice(2);
const words = rest.filter((argument) => !argument.startsWith("-"));
const flags = rest.filter((argument) => argument.startsWith("-"));
const isWanted = (file) => words.length === 0 || words.some((word) => file.includes(word));

const present = existsSync(path.join(root, folder)) ? readdirSync(path.join(root, folder)).toSorted() : [];
const programs = present.filter((file) => file.endsWith(".ts") && isWanted(file));
if (programs.length === 0) console.error(`Cannot find a program: ${folder}/ has no .ts file ${words.join(" or ")}`);

let failed = programs.length === 0;
for (const program of programs) {
  console.log(`== ${folder}/${program} ==`);
  if (!runOnSources([`${folder}/${program}`, ...flags])) failed = true;
}
process.exitCode = failed ? 1 : 0;
