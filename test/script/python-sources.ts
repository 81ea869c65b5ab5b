/** The scripts of the suite in Python. */
import type { Sources } from "./harness.ts";

/** Each line one level deeper. */
const indented = (text: string, level = 1): string => text.replaceAll(/^/gm, "    ".repeat(level));

export const pythonSources: Sources = {
  expression: (text) => text,
  sum: (first, second) => `later(${first}, ${first}) + later(${second}, ${second})`,
  caught: `
message = None
try:
    fail("no")
except Exception as error:
    message = error.name + ": " + str(error)
message`,
  uncaught: `
def outer():
    fail("no")
outer()`,
  thrown: `raise TypeError("mine")`,
  sorted: `
import functools
sorted([3, 1, 2], key=functools.cmp_to_key(lambda a, b: later(1, a - b)))`,
  endless: `while True: pass`,
  guarded: (body) => `
while True:
    try:
${indented(body, 2)}
    except:
        note("caught")
    finally:
        note("finally")`,
  functions: `
def add(a, b): return a + b
def same(value): return value
def waitAndAdd(n):
    later(1)
    return n + 1`,
  adder: (n) => `
def adder(x):
    later(1)
    return x + ${n}
adder`,
  callback: `apply(lambda x: later(1, x * 2), 21) + 1`,
  recursion: `
def deeper(): return deeper()
message = None
try:
    deeper()
except RecursionError as error:
    message = str(error)
message`,
  hoard: `
def hoard():
    kept = []
    while True: kept.append("x" * 1000 + str(len(kept)))
hoard()`,
  pingPong: `
while True:
    x = get()
    x += 1
    put(x)`,
};
