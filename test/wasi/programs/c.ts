/** A C program with wasi-libc. */

import path from "node:path";
import { clang, source } from "./toolchains.ts";
import type { WasiProgram } from "./program.ts";

export const program: WasiProgram = {
  name: "c",
  module: () => clang({ "main.c": source("main.c") }, "-Wall", "-mllvm", "-wasm-enable-sjlj", "-lsetjmp"),
  cases: {
    sleep: {
      args: ["c", "sleep"],
      stdout: "usleep 1\nnanosleep 1\nclock_nanosleep 1\nselect 0\nall 1\n",
      waits: 195,
    },
    input: {
      args: ["c", "input"],
      stdin: ["one\n", 50, "two and", 50, " a half\n", "three\n"],
      stdout: "4 one\n15 two and a half\n6 three\nend 1\n",
      waits: 90,
    },
    poll: {
      args: ["c", "poll"],
      stdin: [80, "abc", 80, "defg"],
      stdout: "nothing yet 0\nready 1 with 3\nselect 1 with 4\n",
      waits: 150,
    },
    setjmp: { args: ["c", "setjmp"], stdout: "3 rounds\n", waits: 30 },
    files: {
      args: ["c", "files"],
      folders: { "/fixed": path.resolve("test/wasi/programs") },
      stdout:
        "8890 bytes\n5 entries\nmissing: No such file or directory\nexists: File exists\nwrite to directory: Is a directory\n" +
        "remove file as directory: Not a directory\nthrough a file: Not a directory\nnot given: No such file or directory\n" +
        "above: Capabilities insufficient\nread-only: Read-only file system\ntruncate: done\nrmdir: done\n",
      filesAfter: { "b.txt": "line" },
    },
    "exit code": { args: ["c", "a", "b"], env: { NAME: "value" }, stdout: "value (null)\n", exitCode: 3, waits: 15 },
  },
};
