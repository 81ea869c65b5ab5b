/** Types as the text format of WebAssembly writes them: `(func (param i32) (result i32))`, `(memory 1 10)`. */

import type { ExternKind, FunctionType, Limits } from "../binary/extern-types.ts";
import { functionType } from "../binary/module.ts";
import type { BinaryModule } from "../binary/module.ts";
import { valueTypeName } from "../binary/value-types.ts";
import type { ValueType } from "../binary/value-types.ts";

/** The type of what is at `index` among the imports and definitions of its kind. */
export function typeText(module: BinaryModule, kind: ExternKind, index: number): string {
  switch (kind) {
    case "function":
      return `(func${signatureText(functionType(module, index))})`;
    case "table": {
      const table = module.tables[index]!;
      return `(table ${limitsText(table)} ${valueTypeName(table.element)})`;
    }
    case "memory": {
      const memory = module.memories[index]!;
      const pageSize = memory.pageSizeLog2 === undefined ? "" : ` (pagesize ${2 ** memory.pageSizeLog2})`;
      return `(memory ${limitsText(memory)}${memory.shared === true ? " shared" : ""}${pageSize})`;
    }
    case "global": {
      const { type, mutable } = module.globals[index]!;
      return `(global ${mutable ? `(mut ${valueTypeName(type)})` : valueTypeName(type)})`;
    }
    case "tag":
      return `(tag${tagText(module, index)})`;
    default:
      return kind;
  }
}

function tagText({ types, tags }: BinaryModule, index: number): string {
  const type = types[tags[index]!];
  return type?.kind === "func" ? signatureText(type) : "";
}

function signatureText({ params, results }: FunctionType): string {
  return valuesText("param", params) + valuesText("result", results);
}

function valuesText(what: string, values: readonly ValueType[]): string {
  return values.length === 0 ? "" : ` (${[what, ...values.map(valueTypeName)].join(" ")})`;
}

function limitsText({ minimum, maximum, is64 }: Limits): string {
  const numbers = maximum === undefined ? String(minimum) : `${minimum} ${maximum}`;
  return is64 === true ? `i64 ${numbers}` : numbers;
}

/** A name in quotes, with escapes for what cannot stand there. */
export function quoted(name: string): string {
  const escaped = name.replace(/[\\"\p{Cc}]/gu, (character) => {
    if (character === "\\" || character === '"') return `\\${character}`;
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
  return `"${escaped}"`;
}
