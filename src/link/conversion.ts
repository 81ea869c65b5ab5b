/** Says which import's answer cannot become a wasm value; the engine's own error does not name it. */

import { isExportedFunction } from "./host-function.ts";

/** Returns the answer to hand to the engine, or throws. */
export type Check = (answer: unknown) => unknown;

interface TypedImport {
  readonly module: string;
  readonly name: string;
  readonly results: readonly string[];
}

/** What each type takes, where that is not everything: `ToWebAssemblyValue` of the JavaScript API. */
const TAKES: ReadonlyMap<string, { readonly text: string; readonly test: (answer: unknown) => boolean }> = new Map([
  ["i32", { text: "a number", test: isNumeric }],
  ["f32", { text: "a number", test: isNumeric }],
  ["f64", { text: "a number", test: isNumeric }],
  ["i64", { text: "a bigint", test: isBigintLike }],
  ["funcref", { text: "a function that a guest exports, or null", test: isFuncref }],
]);

const CONVERTS_TO_I64: ReadonlySet<string> = new Set(["bigint", "boolean", "object", "function"]);

/** The engine would say a SyntaxError of its own about another string. */
function isBigintLike(answer: unknown): boolean {
  if (typeof answer !== "string") return CONVERTS_TO_I64.has(typeof answer);
  try {
    BigInt(answer);
    return true;
  } catch {
    return false;
  }
}

/** Everything else has a number, if perhaps NaN. */
function isNumeric(answer: unknown): boolean {
  return typeof answer !== "bigint" && typeof answer !== "symbol";
}

function isFuncref(answer: unknown): boolean {
  return answer === null || (typeof answer === "function" && isExportedFunction(answer));
}

/** The check for what an import answers; `undefined` if every answer converts. */
export function conversionCheck(wanted: TypedImport): Check | undefined {
  const { results } = wanted;
  if (results.length > 1) return (answer) => checkSeveral(wanted, answer);
  const takes = TAKES.get(results[0] ?? "");
  if (takes === undefined) return undefined;
  return (answer) => (takes.test(answer) ? answer : refuse(wanted, takes.text, answer));
}

function checkSeveral(wanted: TypedImport, answer: unknown): unknown {
  const { results } = wanted;
  if (typeof (answer as Iterable<unknown> | null | undefined)?.[Symbol.iterator] !== "function") {
    refuse(wanted, "an array", answer);
  }
  const values = [...(answer as Iterable<unknown>)];
  if (values.length !== results.length) refuse(wanted, `${results.length} values`, answer, `${values.length}`);
  for (const [position, type] of results.entries()) {
    const takes = TAKES.get(type);
    if (takes !== undefined && !takes.test(values[position])) refuse(wanted, takes.text, values[position]);
  }
  return values;
}

function refuse(
  { module, name, results }: TypedImport,
  expected: string,
  answer: unknown,
  received = describe(answer),
): never {
  throw new TypeError(
    `Cannot return from import ${module}.${name}: expected ${expected} for (${results.join(", ")}), received ${received}`,
  );
}

function describe(answer: unknown): string {
  if (typeof answer === "object" && answer !== null) return `an object (${Object.prototype.toString.call(answer)})`;
  if (typeof answer === "string") return `the string ${JSON.stringify(answer)}`;
  return typeof answer === "number" ? `the number ${answer}` : typeof answer;
}

/**
 * The error for an exception that a suspending import was resumed with, if it is the engine's about a value that does not convert:
 * a TypeError that no JavaScript has thrown. `undefined`: it is something else.
 */
export function conversionFailure({ module, name }: TypedImport, exception: unknown): TypeError | undefined {
  if (!(exception instanceof TypeError)) return undefined;
  const frame = exception.stack?.split("\n").find((line) => /^\s+at |@/.test(line)) ?? "";
  if (!/wasm/.test(frame)) return undefined;
  return new TypeError(`Cannot return from import ${module}.${name}: ${exception.message}`, { cause: exception });
}
