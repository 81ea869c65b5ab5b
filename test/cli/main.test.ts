import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { UsageError } from "#src/cli/command";
import { COMMANDS } from "#src/cli/commands";
import { parseArguments } from "#src/cli/parse-arguments";
import { suggest } from "#src/cli/suggest";
import { PROGRAM, stackful } from "./run-cli.ts";

const USAGE = "Usage: stackful <command> [options]";
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

describe("stackful", () => {
  it("prints its help on standard error, and fails, when it is told nothing", async () => {
    const { code, stdout, stderr } = await stackful();
    assert.deepEqual([code, stdout.length], [2, 0]);
    assert.ok(stderr.includes(USAGE));
  });

  for (const args of [["--help"], ["-h"], ["help"]]) {
    it(`${args.join(" ")} lists the commands`, async () => {
      const { code, stdout, stderr } = await stackful(...args);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout.toString(), /Usage: stackful <command>[^]*\n {2}transform {2}\S[^]*\n {2}backends {3}\S/);
    });
  }

  for (const args of [
    ["transform", "--help"],
    ["help", "transform"],
    ["transform", "x", "-h"],
  ]) {
    it(`${args.join(" ")} explains the command`, async () => {
      const { code, stdout } = await stackful(...args);
      assert.equal(code, 0);
      assert.match(stdout.toString(), /Usage: stackful transform \[options\] --output <file> <in\.wasm>/);
      for (const line of stdout.toString().split("\n")) assert.ok(line.length <= 140, line);
    });
  }

  for (const args of [["--version"], ["-V"]]) {
    it(`${args.join(" ")} prints the version`, async () => {
      const { code, stdout } = await stackful(...args);
      assert.deepEqual([code, stdout.toString()], [0, `stackful ${version}\n`]);
    });
  }

  const mistakes: [args: string[], error: string, tip?: string][] = [
    [
      ["transform", "a", "--outptu", "b"],
      "unexpected argument '--outptu' found",
      "a similar argument exists: '--output'",
    ],
    [["transform", "a", "-x"], "unexpected argument '-x' found"],
    [["transform"], "the following required arguments were not provided: <in.wasm>, --output <file>"],
    [["transform", "a", "b", "-o", "c"], "unexpected argument 'b' found"],
    [["transform", "a", "-o"], "a value is required for '--output <file>' but none was supplied"],
    [["transform", "a", "-o", ""], "a value is required for '--output <file>' but none was supplied"],
    [
      ["transform", "a", "-o", "--json"],
      "a value is required for '--output <file>' but none was supplied",
      "to pass '--json' as a value, use '--output=--json'",
    ],
    [["transform", "a", "-o", "b", "-o", "c"], "the argument '--output <file>' cannot be used multiple times"],
    [["transform", "a", "-o", "b", "--json=1"], "unexpected value '1' for '--json' found; no more were expected"],
    [
      ["transform", "a", "-o", "b", "--report=jsno"],
      "invalid value 'jsno' for '--report[=format]': possible values are text, json",
      "a similar value exists: 'json'",
    ],
  ];
  for (const [args, error, tip] of mistakes) {
    it(`${args.join(" ")}: ${error}`, () => {
      const command = COMMANDS.find(({ name }) => name === args[0])!;
      assert.throws(
        () => parseArguments(command, args.slice(1)),
        (thrown) => thrown instanceof UsageError && thrown.message === error && thrown.tip === tip,
      );
    });
  }

  const misuses: [args: string[], error: string, tip?: string][] = [
    [["transfrom"], "unrecognized command 'transfrom'", "a similar command exists: 'transform'"],
    [["zebra"], "unrecognized command 'zebra'"],
    [["--verbose"], "unexpected argument '--verbose' found"],
    [
      ["transform", "a", "--outptu", "b"],
      "unexpected argument '--outptu' found",
      "a similar argument exists: '--output'",
    ],
  ];
  for (const [args, error, tip] of misuses) {
    it(`says how it is used after ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await stackful(...args);
      assert.deepEqual([code, stdout.length], [2, 0]);
      const lines = stderr.split("\n");
      assert.equal(lines[0], `error: ${error}`);
      assert.equal(lines[2], tip === undefined ? `Usage: stackful <command> [options]` : `  tip: ${tip}`);
      assert.ok(lines.some((line) => line.startsWith("Usage: stackful ")));
      assert.equal(lines.at(-2), "For more information, try '--help'.");
    });
  }

  const isBuilt = PROGRAM.endsWith(".js");
  it("can be run as it is", { skip: isBuilt ? false : "the sources are not the program that is installed" }, () => {
    const PATH = [path.dirname(process.execPath), process.env["PATH"]].join(path.delimiter);
    const output = execFileSync(PROGRAM, ["--version"], { encoding: "utf8", env: { ...process.env, PATH } });
    assert.equal(output, `stackful ${version}\n`);
  });
});

describe("stackful backends", () => {
  it("says what this runtime has", async () => {
    const { code, stdout } = await stackful("backends");
    assert.equal(code, 0);
    assert.match(
      stdout.toString(),
      /^jspi {7}(available|not available: \S.*)\ntransform {2}available, can resume synchronously\n$/,
    );
  });

  it("says it in JSON", async () => {
    const { stdout } = await stackful("backends", "--json");
    const all = JSON.parse(stdout.toString()) as { name: string; available: boolean }[];
    assert.equal(all.find(({ name }) => name === "transform")?.available, true);
  });
});

describe("suggest()", () => {
  it("finds what is nearest, swaps and all", () => {
    assert.equal(suggest("transfrom", ["backends", "transform", "transforms"]), "transform");
    assert.equal(suggest("bakends", ["transform", "backends"]), "backends");
    assert.equal(suggest("x", ["transform"]), undefined);
    assert.equal(suggest("", ["transform"]), undefined);
  });
});
