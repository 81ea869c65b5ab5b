/** A Rust program with its standard library, made by a compiler of this computer. */

import { rust } from "./toolchains.ts";
import type { WasiProgram } from "./program.ts";

export const program: WasiProgram = {
  name: "rust",
  module: () => rust("main.rs"),
  cases: {
    sleep: { args: ["rust", "sleep"], stdout: "true\ntrue\n[3, 2, 1]\n", waits: 155 },
    input: {
      args: ["rust", "input"],
      stdin: [50, "one\ntw", 50, "o\n", "ä€😀"],
      stdout: '"one"\n"two"\n"ä€😀"\n',
      waits: 90,
    },
    files: {
      args: ["rust", "files"],
      // What the errors are called has changed from version to version.
      stdout: /^"one\\ntwo\\none\\n" 12\n\["a", "two.txt"\]\nNotFound\n\w+\n\w+\nAlreadyExists\n$/,
      filesAfter: { "two.txt": "one\ntwo\none\n" },
    },
    exit: { args: ["rust", "exit"], stdout: "", exitCode: 42, waits: 15 },
  },
};
