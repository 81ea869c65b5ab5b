/** A Go program with its standard library, made by a compiler of this computer. Its goroutines poll for all of them at once. */

import { go } from "./toolchains.ts";
import type { WasiProgram } from "./program.ts";

export const program: WasiProgram = {
  name: "go",
  module: () => go("main.go"),
  cases: {
    sleep: { args: ["go", "sleep"], stdout: "50\n100\n150\ntrue\ntimeout\n", waits: 90 },
    input: {
      args: ["go", "input"],
      stdin: [50, "one\ntw", 50, "o\n", "ä€😀"],
      stdout: '"one"\n"two"\n"ä€😀"\n',
      waits: 90,
    },
    files: {
      args: ["go", "files"],
      stdout: '"one\\none\\n"\n/work true\n/work/a true\n/work/a/b true\n/work/two.txt false\ntrue\ntrue\ntrue\n',
      filesAfter: { "two.txt": "one\none\n" },
    },
    panic: {
      args: ["go", "panic"],
      stdout: "recovered first\ndeferred\n",
      stderr: /^panic: first \[recovered\]\n\tpanic: again\n\ngoroutine 1 \[running\]:/,
      exitCode: 2,
      waits: 15,
    },
    exit: { args: ["go", "exit"], stdout: "", exitCode: 42, waits: 15 },
  },
};
