/** `stackful run --invoke`: words to numbers of WebAssembly, and back. */

import type { GuestModule } from "../link/guest-module.ts";
import { CommandError, UsageError } from "./command.ts";
import { suggest } from "./suggest.ts";

/** What the words are as arguments of the exported function `name`. @throws {CommandError} */
export function argumentsFor(module: GuestModule, name: string, words: readonly string[]): unknown[] {
  const functions = module.exports.filter(({ kind }) => kind === "function");
  const found = functions.find((entry) => entry.name === name);
  if (found === undefined) {
    const names = functions.map((entry) => entry.name);
    const similar = suggest(name, names);
    const tip =
      similar === undefined ? `its functions are ${names.join(", ") || "none"}` : `a similar name exists: '${similar}'`;
    throw new CommandError(`the program exports no function '${name}'`, tip);
  }
  const { params } = found.type!;
  if (words.length !== params.length) {
    const wanted = params.length === 1 ? "1 argument" : `${params.length} arguments`;
    throw new UsageError(`'${name}' takes ${wanted} (${params.join(", ")}), and was given ${words.length}`);
  }
  return words.map((word, position) => argument(word, params[position]!, name));
}

const INTEGER = /^[+-]?(\d[\d_]*|0x[\da-f][\da-f_]*)$/i;

function argument(word: string, type: string, name: string): unknown {
  const value = type.startsWith("i") ? integer(word, type) : float(word, type);
  if (value !== undefined) return value;
  const isNumber = /^[if](32|64)$/.test(type);
  throw isNumber
    ? new UsageError(`invalid value '${word}' for an argument of '${name}': expected an ${type}`)
    : new CommandError(
        `cannot call '${name}': it takes a value of type ${type}, which cannot be written on a command line`,
      );
}

/** Signed or unsigned, decimal or hexadecimal. */
function integer(word: string, type: string): number | bigint | undefined {
  const bits = { i32: 32, i64: 64 }[type];
  if (bits === undefined || !INTEGER.test(word)) return undefined;
  const digits = word.replaceAll("_", "").replace(/^[+-]/, "");
  const value = word.startsWith("-") ? -BigInt(digits) : BigInt(digits);
  if (value < -(1n << BigInt(bits - 1)) || value >= 1n << BigInt(bits)) return undefined;
  return bits === 32 ? Number(BigInt.asIntN(32, value)) : value;
}

const FLOAT = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

function float(word: string, type: string): number | undefined {
  if (type !== "f32" && type !== "f64") return undefined;
  const [, sign, special] = /^([+-]?)(nan|inf|infinity)$/i.exec(word) ?? [];
  if (special !== undefined) {
    const value = special.toLowerCase() === "nan" ? Number.NaN : Infinity;
    return sign === "-" ? -value : value;
  }
  return FLOAT.test(word) ? Number(word) : undefined;
}

/** A line for each result of the exported function `name`, as Wasmtime prints them. */
export function resultText(module: GuestModule, name: string, result: unknown): string {
  const types = module.exportNamed(name)?.type?.results ?? [];
  const results = Array.isArray(result) ? (result as unknown[]) : [result];
  return results
    .filter((value) => value !== undefined)
    .map((value, position) => `${valueText(types[position] === "f32" ? shortest(value as number) : value)}\n`)
    .join("");
}

/** An f32 needs nine digits at most: those of the number that JavaScript has made of it say more than there was. */
function shortest(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

function valueText(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "number") return value === null ? "null" : `<${typeof value}>`;
  if (Object.is(value, -0)) return "-0";
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return String(value);
}
