/** Programs that `stackful run` runs: what they get, how they end, what it says about that. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { backends } from "stackful";
import { assemble } from "../transform/assemble.ts";
import { expectError, expectOutput, guest, scratchFolder, stackful, stackfulWith, start } from "./run-cli.ts";
import type { Finished } from "./run-cli.ts";

const PROGRAM = guest("program");
const folder = scratchFolder();
process.env["STACKFUL_CACHE_DIR"] = path.join(folder, "cache");

const run = (...args: readonly string[]): Promise<Finished> => stackful("run", ...args);
const lines = ({ stdout }: Finished): string[] => stdout.toString().split("\n").slice(0, -1);

const available = backends().filter((backend) => backend.available);

for (const { name } of available) {
  const onBackend = ["--backend", name];

  describe(`stackful run --backend ${name}`, () => {
    it("runs a program with threads, as many as it may have", async () => {
      await expectOutput([...onBackend, guest("threads/pthreads"), "mutex", "10", "20"], "total 200, results 200\n");
      await expectOutput(
        [...onBackend, "--max-threads", "3", guest("threads/pthreads"), "many"],
        "3 threads, then Resource temporarily unavailable\n",
      );
    });

    it("says which threads wait for each other, and where", async () => {
      const frames = (name: string): string => String.raw`in .*__pthread_mutex_lock < ${name} < .*`;
      const stderr = [
        "^error: Cannot go on: the threads wait for each other",
        "  the main thread waits for the value at address 0x[0-9a-f]+, in .*__pthread_join < main < .*",
        `  thread 1 waits for the value at address 0x[0-9a-f]+, ${frames("transfer_a_to_b")}`,
        `  thread 2 waits for the value at address 0x[0-9a-f]+, ${frames("transfer_b_to_a")}\n$`,
      ];
      await expectError([...onBackend, guest("threads/pthreads"), "deadlock"], new RegExp(stderr.join("\n")), 134);
      await expectError(
        [...onBackend, guest("threads/pthreads"), "trap"],
        /^error: the program was ended by a trap in thread 4: it has executed 'unreachable'.*\n {4}at trap_soon\n/,
        134,
      );
    });

    it("gives a program its arguments and environment, and nothing else", async () => {
      await expectOutput(
        [...onBackend, PROGRAM, "args", "a b", "--dir", "--", "-x"],
        "program.wasm\nargs\na b\n--dir\n--\n-x\n",
      );
      await expectOutput([...onBackend, PROGRAM, "env"], "");
      await expectOutput(
        [...onBackend, "--env", "A=1", "--env", "B=", "--env=C=d=e", PROGRAM, "env"],
        "A=1\nB=\nC=d=e\n",
      );
      await expectOutput(
        [...onBackend, "--env", "STACKFUL_CACHE_DIR", PROGRAM, "env"],
        `STACKFUL_CACHE_DIR=${folder}/cache\n`,
      );
    });

    it("gives it standard input, output and errors", async () => {
      const text = "Grüße\n".repeat(20_000);
      const { stdout, stderr, code } = await stackfulWith(Buffer.from(text), "run", ...onBackend, PROGRAM, "cat");
      assert.deepEqual([stdout.toString() === text, stderr, code], [true, "", 0]);
      const complaint = await run(...onBackend, PROGRAM, "complain", "oh");
      assert.deepEqual([complaint.stdout.toString(), complaint.stderr, complaint.code], ["", "oh\n", 0]);
    });

    it("ends with its exit code", async () => {
      for (const code of [0, 255]) await expectOutput([...onBackend, PROGRAM, "exit", String(code)], "", code);
      await expectOutput([...onBackend, PROGRAM, "exit", "256"], "", 0);
    });

    it("ends with 134 after a trap, and says where it was", async () => {
      const message =
        "error: the program was ended by a trap: it has executed 'unreachable', as abort() and panics do\n    at crash\n";
      await expectError([...onBackend, PROGRAM, "trap"], new RegExp(`^${message.replaceAll(/[()]/g, "\\$&")}`), 134);
      await expectError(
        [...onBackend, PROGRAM, "late-trap"],
        new RegExp(`^${message.replaceAll(/[()]/g, "\\$&")}`),
        134,
      );
    });

    it("ends with 134 when it has exhausted its stack, and says what to do about it", async () => {
      const message =
        "error: the program has exhausted its stack of 65,536 bytes: link it with a larger one, such as '-Wl,-z,stack-size=1048576'\n    at nest\n    at nest\n";
      await expectError([...onBackend, PROGRAM, "nest"], new RegExp(`^${message}`), 134);
    });

    it("sleeps", async () => {
      const started = performance.now();
      await expectOutput([...onBackend, PROGRAM, "sleep", "300"], "");
      assert.ok(performance.now() - started >= 300);
    });

    it("ends it when its time is over, sleeping or computing", async () => {
      for (const what of [["sleep", "100000"], ["spin"]]) {
        const args = [...onBackend, "--timeout", "200ms", PROGRAM, ...what];
        await expectError(args, "error: the program was stopped after 200ms\n", 124);
      }
    });

    it("ends it when its fuel is used up", async () => {
      await expectError(
        [...onBackend, "--fuel", "100_000", PROGRAM, "spin"],
        "error: the program has used up its fuel of 100000\n",
        134,
      );
      await expectOutput([...onBackend, "--fuel", "10000000", PROGRAM, "args"], "program.wasm\nargs\n");
    });

    it("limits its memory", async () => {
      const [mebibytes] = lines(await run(...onBackend, "--max-memory", "8M", PROGRAM, "grow"));
      assert.ok(Number(mebibytes) >= 5 && Number(mebibytes) <= 8, String(mebibytes));
    });

    it("unwinds it after a signal", { skip: process.platform === "win32" }, async () => {
      for (const [signal, code] of [
        ["SIGINT", 130],
        ["SIGTERM", 143],
      ] as const) {
        for (const what of [["sleep", "100000"], ["spin"]])
          assert.equal(await codeAfter(signal, [...onBackend, PROGRAM, ...what]), code);
      }
    });

    it("runs copies at once, and tells their number and how they ended", async () => {
      const { stderr, code } = await run(...onBackend, "--copies", "20", PROGRAM, "sleep", "1000");
      assert.equal(code, 0);
      const [, most] =
        /^20 copies in \d+\.\d\d s: 20 with exit code 0; at most (\d+) at once, in one thread; /.exec(stderr) ?? [];
      // The first may be awake again before a busy machine has started the last.
      assert.ok(Number(most) > 10 && Number(most) <= 20, stderr);
      const all = await run(...onBackend, "--copies=3", PROGRAM, "env");
      assert.deepEqual(
        lines(all)
          .filter((line) => line.startsWith("STACKFUL_COPY="))
          .toSorted(),
        ["STACKFUL_COPY=0", "STACKFUL_COPY=1", "STACKFUL_COPY=2"],
      );
      assert.equal(lines(all).filter((line) => line === "STACKFUL_COPIES=3").length, 3);
    });
  });
}

/** The exit code of a program that is sent a signal while it runs. */
async function codeAfter(signal: NodeJS.Signals, args: readonly string[]): Promise<number | null> {
  // What is traced is running.
  const child = start("run", "--trace", ...args);
  child.stderr!.once("data", () => setTimeout(() => child.kill(signal), 100));
  child.stderr!.resume();
  child.stdin!.end();
  return new Promise((done) => child.once("close", done));
}

describe("stackful run", () => {
  it("opens directories, under their names or others, to read or to write", async () => {
    writeFileSync(path.join(folder, "note.txt"), "a note\n");
    await expectOutput(["--dir", folder, PROGRAM, "read", `${folder}/note.txt`], "a note\n");
    await expectOutput(["--dir", `${folder}::/data`, PROGRAM, "read", "/data/note.txt"], "a note\n");
    await expectOutput(["--dir", `${folder}::/data`, PROGRAM, "write", "/data/written.txt", "by the guest"], "");
    assert.equal(readFileSync(path.join(folder, "written.txt"), "utf8"), "by the guest");
    for (const grant of [`${folder}::/data:ro`, `${folder}::/data:ro`]) {
      await expectOutput(["--dir", grant, PROGRAM, "read", "/data/note.txt"], "a note\n");
      await expectError(
        ["--dir", grant, PROGRAM, "write", "/data/other.txt", "x"],
        "/data/other.txt: Read-only file system\n",
      );
    }
    assert.equal(existsSync(path.join(folder, "other.txt")), false);
    const { stdout } = await run("--dir", `${folder}:ro`, PROGRAM, "list", folder);
    assert.match(stdout.toString(), /^note\.txt$/m);
  });

  it("opens nothing that it was not told to", async () => {
    await expectError([PROGRAM, "read", path.join(folder, "note.txt")], /^\S*note\.txt: /);
    await expectError(["--dir", `${folder}::/data`, PROGRAM, "read", "/data/../note.txt"], /note\.txt: /);
  });

  it("takes a program from standard input, which is then not for the program", async () => {
    const { stdout, code } = await stackfulWith(readFileSync(PROGRAM), "run", "-", "args", "x");
    assert.deepEqual([stdout.toString(), code], ["program\nargs\nx\n", 0]);
    const empty = await stackfulWith(readFileSync(PROGRAM), "run", "-", "cat");
    assert.deepEqual([empty.stdout.length, empty.code], [0, 0]);
  });

  it("takes options behind -- as the program", async () => {
    await expectOutput(["--env", "A=1", "--", PROGRAM, "--", "x"], "", 2);
    await expectOutput(["--", PROGRAM, "args"], "program.wasm\nargs\n");
  });

  it("ends a program whose reader has gone", { skip: process.platform === "win32" }, async () => {
    const child = start("run", PROGRAM, "flood");
    child.stdout!.once("data", () => child.stdout!.destroy());
    child.stdin!.end();
    const code = await new Promise((done) => child.once("close", done));
    assert.equal(code, 141);
  });

  it("does so before the program can say anything about it", { skip: process.platform === "win32" }, async () => {
    const child = start("run", PROGRAM, "cat");
    const complaints: Buffer[] = [];
    child.stderr!.on("data", (chunk: Buffer) => complaints.push(chunk));
    child.stdin!.on("error", () => {});
    child.stdout!.once("data", () => child.stdout!.destroy());
    child.stdin!.write(Buffer.alloc(10_000_000));
    const code = await new Promise((done) => child.once("close", done));
    assert.deepEqual([Buffer.concat(complaints).toString(), code], ["", 141]);
  });

  it("ends a program in time whose output nobody takes", { skip: process.platform === "win32" }, async () => {
    const child = start("run", "--timeout=300ms", PROGRAM, "flood");
    child.stdout!.pause();
    let stderr = "";
    child.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const [code] = (await once(child, "exit", { signal: AbortSignal.timeout(60_000) })) as [number];
    assert.deepEqual([stderr, code], ["error: the program was stopped after 300ms\n", 124]);
    child.stdout!.destroy();
  });

  it("limits what it writes", async () => {
    const { stdout, stderr, code } = await stackfulWith(
      Buffer.from("x".repeat(10_000)),
      "run",
      "--max-output=8K",
      PROGRAM,
      "cat",
    );
    assert.deepEqual([stdout.length, code], [8192, 1]);
    // What it says then is beyond the limit, too.
    assert.equal(stderr, "");
  });

  it("says that a limit leaves no room for what the program starts with", async () => {
    const { stderr, code } = await stackful("run", "--max-open-files=2", PROGRAM, "args");
    assert.equal(code, 1);
    assert.match(stderr, /^error: cannot run '.*': --max-open-files must be a number from 3,.*\n$/);
  });

  it("has patience for longer than a timer has", async () => {
    const { stderr, code } = await run("--timeout=700h", PROGRAM, "args");
    assert.deepEqual([stderr, code], ["", 0]);
  });

  it("traces calls", async () => {
    const { stdout, stderr } = await run("--trace", "--dir", `${folder}::/data`, PROGRAM, "read", "/data/nothing");
    assert.equal(stdout.length, 0);
    assert.match(stderr, /^args_sizes_get\(\) -> argc: 3, argv_buf_size: \d+$/m);
    assert.match(stderr, /^path_open\(fd: 3, dirflags: symlink_follow, path: "nothing", oflags: 0, .*\) -> ENOENT$/m);
    const slept = await run("--trace", PROGRAM, "sleep", "50");
    assert.match(
      slept.stderr,
      /^poll_oneoff\(in: \[\w+ in 50 ms\], nsubscriptions: 1\) -> nevents: 1 <suspended \d+\.\d ms>$/m,
    );
    const exited = await run("--trace", PROGRAM, "exit", "3");
    assert.match(exited.stderr, /^proc_exit\(rval: 3\) does not return$/m);
    assert.equal(exited.code, 3);
    const copies = await run("--trace", "--copies=2", PROGRAM, "args");
    assert.match(copies.stderr, /^\[1\] args_get\(/m);
  });

  it("has the highest exit code of all copies, and tells each failure", async () => {
    const { stderr, code } = await run("--copies", "2", PROGRAM, "trap");
    assert.equal(code, 134);
    assert.match(stderr, /^error: copy [01]: the program was ended by a trap: .*\n {4}at crash$/m);
    assert.match(stderr, /^2 copies in .*: 2 with exit code 134; /m);
  });

  it("ends all copies when their time is over", async () => {
    const { stderr, code } = await run("--copies", "5", "--timeout", "500ms", PROGRAM, "sleep", "100000");
    assert.match(stderr, /5 with exit code 124/);
    assert.equal(code, 124);
  });

  it("computes without giving way, if told to", async () => {
    await expectOutput(["--no-interrupt", PROGRAM, "args"], "program.wasm\nargs\n");
    assert.equal(
      process.platform === "win32" || (await codeAfter("SIGTERM", ["--no-interrupt", PROGRAM, "spin"])),
      null,
    );
  });

  it("runs what stackful transform has made", async () => {
    const file = path.join(folder, "transformed.wasm");
    await stackful("transform", PROGRAM, "-o", file);
    for (const { name } of available) await expectOutput(["--backend", name, file, "exit", "7"], "", 7);
    // It gives way to nobody while it computes: signals kill it.
    assert.equal(process.platform === "win32" || (await codeAfter("SIGTERM", [file, "spin"])), null);
    await expectError(
      ["--max-memory", "8M", file, "args"],
      /error: cannot run '.*transformed\.wasm': .*maxMemoryBytes|--max-memory/,
    );
  });

  it("runs a program for wasi_unstable, the WASI of 2019", async () => {
    const file = path.join(folder, "unstable.wasm");
    const program = await assemble(`(module (import "wasi_unstable" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 7))))`);
    writeFileSync(file, program);
    for (const { name } of available) await expectOutput(["--backend", name, file], "", 7);
  });

  it("says what it cannot run", async () => {
    await expectError(["nothing.wasm"], "error: cannot read 'nothing.wasm': no such file or directory\n");
    await expectError(
      [guest("add")],
      /no program, since it exports no function '_start'\n\n {2}tip: call one of its functions with '--invoke <function>': add\n/,
    );
    await expectError([guest("jsframe")], /it imports host\.callback and 1 more, not a part of WASI preview 1\n/);
    const other = path.join(folder, "program.txt");
    writeFileSync(other, "#!/bin/sh\n");
    await expectError([other], /cannot run '.*program\.txt': it is no WebAssembly module\n/);
    await expectError(
      ["--dir", `${folder}:/data`, PROGRAM],
      /no such file or directory\n\n {2}tip: to give '.*' another name, use '--dir .*::\/data'/,
    );
    await expectError(
      ["--invoke", "outer", guest("jsframe")],
      /it imports host\.callback and 1 more, not a part of WASI preview 1\n/,
    );
    const text = path.join(folder, "program.wat");
    writeFileSync(text, "(module)");
    await expectError([text], /it looks like the text format of WebAssembly\n\n {2}tip: assemble it first/);
    await expectError(
      ["--max-memory", "64K", PROGRAM],
      /the guest begins with 131072 bytes, more than --max-memory, 65536/,
    );
  });

  it(
    "says which backend this runtime lacks",
    { skip: available.length === backends().length ? "it has all" : false },
    async () => {
      await expectError(
        ["--backend", "jspi", PROGRAM],
        /jspi: the engine has no WebAssembly\.Suspending.*\n\n {2}tip: 'stackful backends'/,
      );
    },
  );

  it("says what it does not find", async () => {
    await expectError(
      ["--dir", path.join(folder, "none"), PROGRAM],
      /^error: cannot open directory '.*none': no such file or directory\n$/,
    );
    await expectError(["--dir", PROGRAM, PROGRAM], /^error: cannot open directory '.*program\.wasm': it is none\n$/);
    await expectError(
      ["--env", "STACKFUL_NOBODY", PROGRAM],
      /^error: environment variable 'STACKFUL_NOBODY' not found\n/,
    );
  });
});
