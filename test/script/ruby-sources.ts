/** The scripts of the suite in Ruby. */
import type { Sources } from "./harness.ts";

export const rubySources: Sources = {
  expression: (text) => text,
  sum: (first, second) => `later(${first}, ${first}) + later(${second}, ${second})`,
  caught: `
begin
  fail("no")
rescue => error
  "#{error.name}: #{error.message}"
end`,
  uncaught: `
def outer
  fail("no")
end
outer`,
  thrown: `raise TypeError, "mine"`,
  sorted: `[3, 1, 2].sort { |a, b| later(1, a <=> b) }`,
  endless: `loop {}`,
  guarded: (body) => `
loop do
  begin
    ${body}
  rescue Exception
    note("caught")
  ensure
    note("finally")
  end
end`,
  functions: `
def add(a, b) = a + b
def same(value) = value
def waitAndAdd(n)
  later(1)
  n + 1
end`,
  adder: (n) => `->(x) { later(1); x + ${n} }`,
  callback: `apply(->(x) { later(1, x * 2) }, 21) + 1`,
  recursion: `
def deeper = deeper
begin
  deeper
rescue SystemStackError => error
  error.message
end`,
  hoard: `
-> do
  kept = []
  loop { kept << "x" * 1000 + kept.size.to_s }
end.call`,
  pingPong: `
loop do
  x = get()
  x += 1
  put(x)
end`,
};
