/**
 * Compares real programs with what the compiler of backend `transform` makes of them, see test/programs/differential.ts.
 *
 *     npm run differential                          all programs, on the sources under Node 26
 *     npm run differential -- quickjs lua           some of them
 *     npm run differential -- python --case=files   cases whose names hold a word
 *     npm run differential -- --engines             on the built package under each supported Node
 *
 * The programs are installed into test/programs/packages when they are not there.
 */
import { runRealPrograms } from "./real-programs.mjs";

runRealPrograms({
  programs: ["quickjs", "lua", "sqlite", "python", "ruby", "esbuild", "clang"],
  file: "test/programs/differential",
  success: "Nothing differs",
});
