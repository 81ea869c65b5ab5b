/**
 * Runs real programs as WASI programs on each backend, see test/wasi/programs/README.md.
 *
 *     npm run wasi                          all programs, on the sources under Node 26
 *     npm run wasi -- python c              some of them
 *     npm run wasi -- python --case=sleep   cases whose names hold a word
 *     npm run wasi -- --engines             on the built package under each supported Node
 *
 * What comes from the npm registry is installed into test/programs/packages when it is not there.
 */
import { runRealPrograms } from "./real-programs.mjs";

runRealPrograms({
  programs: ["c", "python", "ruby", "quickjs", "sqlite", "yosys", "clang", "rust", "go"],
  file: "test/wasi/programs/run",
  success: "All as expected, and the same on each backend",
});
