/** The scripts of the suite in JavaScript. */
import type { Sources } from "./harness.ts";

export const javascript: Sources = {
  expression: (text) => text,
  sum: (first, second) => `later(${first}, ${first}) + later(${second}, ${second})`,
  caught: `try { fail("no"); } catch (error) { error.name + ": " + error.message; }`,
  uncaught: `function outer() { fail("no"); } outer();`,
  thrown: `throw new TypeError("mine");`,
  sorted: `[3, 1, 2].sort((a, b) => { later(1); return a - b; })`,
  endless: `for (;;);`,
  guarded: (body) => `for (;;) { try { ${body} } catch { note("caught"); } finally { note("finally"); } }`,
  functions: `
    const add = (a, b) => a + b;
    function same(value) { return value; }
    const waitAndAdd = (n) => { later(1); return n + 1; };`,
  adder: (n) => `(function adder(x) { later(1); return x + ${n}; })`,
  callback: `apply((x) => later(1, x * 2), 21) + 1`,
  recursion: `(() => { let depth = 0; const deeper = () => { depth++; deeper(); }; try { deeper(); } catch (e) { return e.message; } })()`,
  hoard: `(() => { const kept = []; for (;;) kept.push("x".repeat(1000) + kept.length); })()`,
  pingPong: `for (;;) { let x = get(); x += 1; put(x); }`,
};
