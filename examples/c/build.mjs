/**
 * Builds the examples in C: every `.c` here into the `.wasm` beside it, as the guests of the tests are built.
 *
 *   npm ci --prefix test/guests && node examples/c/build.mjs [names]
 */
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const folder = new URL("./", import.meta.url);
const { resolve } = createRequire(new URL("../../test/guests/", import.meta.url));
const { runClang } = await import(pathToFileURL(resolve("@yowasp/clang")).href);

const FLAGS = ["--target=wasm32-wasip1", "-O2", "-Wall", "-Wextra", "-Werror", "-I.", "-Wl,--strip-debug"];
const header = readFileSync(new URL("../../include/stackful.h", folder), "utf8");
const wanted = process.argv.slice(2);

await runClang(null, {}, { fetchProgress: () => {} }); // loads the compiler once, silently
for (const source of readdirSync(folder).filter((file) => file.endsWith(".c"))) {
  if (wanted.length > 0 && !wanted.includes(source.replace(/\.c$/, ""))) continue;
  const output = source.replace(/\.c$/, ".wasm");
  const files = { [source]: readFileSync(new URL(source, folder), "utf8"), "stackful.h": header };
  const built = await runClang(["clang", ...FLAGS, source, "-o", output], files);
  writeFileSync(new URL(output, folder), built[output]);
  console.log(output.padEnd(16), `${built[output].length} bytes`);
}
