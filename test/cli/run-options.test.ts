/** What may stand behind `stackful run`, and what is said of anything else. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { UsageError } from "#src/cli/command";
import { parseArguments } from "#src/cli/parse-arguments";
import { runCommand } from "#src/cli/run";
import { runOptions } from "#src/cli/run-options";
import { guest, stackful } from "./run-cli.ts";

const PROGRAM = guest("program");

describe("stackful run", () => {
  const misuses: readonly (readonly [args: string[], error: string])[] = [
    [
      ["--timeout", "soon", PROGRAM],
      "invalid value 'soon' for '--timeout <time>': expected a time such as 5s, 200ms or 1m",
    ],
    [["--timeout=0", PROGRAM], "invalid value '0' for '--timeout <time>': expected a time such as 5s, 200ms or 1m"],
    [
      ["--max-memory", "lots", PROGRAM],
      "invalid value 'lots' for '--max-memory <size>': expected a size such as 256M, 64K or 1G",
    ],
    [["--copies", "0", PROGRAM], "invalid value '0' for '--copies <n>': expected a whole number from 1 on"],
    [["--fuel", "1.5", PROGRAM], "invalid value '1.5' for '--fuel <n>': expected a whole number from 1 on"],
    [
      ["--listen", "8080", PROGRAM],
      "invalid value '8080' for '--listen <host:port>': expected host:port, such as 127.0.0.1:8080",
    ],
    [
      ["--listen", "x:70000", PROGRAM],
      "invalid value 'x:70000' for '--listen <host:port>': expected host:port, such as 127.0.0.1:8080",
    ],
    [
      ["--allow-net", "x", PROGRAM],
      "invalid value 'x' for '--allow-net <host:port>': expected host:port, such as example.com:443",
    ],
    [["--env", "=x", PROGRAM], "invalid value '=x' for '--env <name[=value]>': expected name=value or name"],
    [
      ["--dir", "a::b::c", PROGRAM],
      "invalid value 'a::b::c' for '--dir <host[::guest][:ro]>': expected host, host::guest, host:ro or host::guest:ro",
    ],
    [
      ["--dir", ".::/x", "--dir", "..::/x:ro", PROGRAM],
      "two directories are called '/x': give one another name with host::guest",
    ],
    [["--copies=2", "--invoke=f", PROGRAM], "the argument '--copies <n>' cannot be used with '--invoke <function>'"],
    [["--no-interrupt", "--fuel=1", PROGRAM], "the argument '--no-interrupt' cannot be used with '--fuel <n>'"],
    [
      ["--backend", "asyncify", PROGRAM],
      "invalid value 'asyncify' for '--backend <name>': possible values are auto, jspi, transform",
    ],
    [["--enw", "A", PROGRAM], "unexpected argument '--enw' found"],
    [[], "the following required arguments were not provided: <program.wasm>"],
  ];
  for (const [args, error] of misuses) {
    it(`says what is wrong with ${args.slice(0, 2).join(" ")}`, () => {
      const read = (): unknown => {
        const parsed = parseArguments(runCommand, args);
        assert.ok(parsed !== "help");
        return runOptions(parsed);
      };
      assert.throws(read, (thrown) => thrown instanceof UsageError && thrown.message === error);
    });
  }

  it("says how it is used", async () => {
    const { stderr, stdout, code } = await stackful("run", "--copies", "0", PROGRAM);
    assert.deepEqual([stdout.length, code], [0, 2]);
    assert.match(
      stderr,
      /^error: invalid value .*\n\nUsage: stackful run \[options\] <program\.wasm> \[args\]\.\.\.\n/,
    );
  });
});
