/**
 * Builds the programs of the demo: every `.c` here into the `.wasm` beside it, as the guests of the tests are built.
 *
 *   npm ci --prefix test/guests && node demo/build.mjs
 */
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const folder = new URL("./", import.meta.url);
const { resolve } = createRequire(new URL("../test/guests/", import.meta.url));
const { runClang } = await import(pathToFileURL(resolve("@yowasp/clang")).href);

const FLAGS = ["--target=wasm32-wasip1", "-O2", "-Wall", "-Wextra", "-Werror", "-Wl,--strip-debug"];

await runClang(null, {}, { fetchProgress: () => {} }); // loads the compiler once, silently
for (const source of readdirSync(folder).filter((file) => file.endsWith(".c"))) {
  const output = source.replace(/\.c$/, ".wasm");
  const files = { [source]: readFileSync(new URL(source, folder), "utf8") };
  const built = await runClang(["clang", ...FLAGS, source, "-o", output], files);
  writeFileSync(new URL(output, folder), built[output]);
  console.log(output.padEnd(16), `${built[output].length} bytes`);
}
