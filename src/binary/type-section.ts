/** The type section: function, struct, array and continuation types, in recursion groups and with their supertypes. */

import { readFunctionType } from "./extern-types.ts";
import type { FunctionType } from "./extern-types.ts";
import type { Reader } from "./reader.ts";
import { readStorageType } from "./value-types.ts";
import type { ValueType } from "./value-types.ts";

/** A field of a struct, or all elements of an array. The type may be packed: i8 or i16. */
export interface FieldType {
  readonly type: ValueType;
  readonly mutable: boolean;
}

export type CompositeType =
  | ({ readonly kind: "func" } & FunctionType)
  | { readonly kind: "struct"; readonly fields: readonly FieldType[] }
  | { readonly kind: "array"; readonly element: FieldType }
  | { readonly kind: "cont"; readonly functionType: number };

export type TypeDefinition = CompositeType & {
  /** Whether no type may name this one as its supertype. */
  readonly final: boolean;
  readonly supertypes: readonly number[];
  /** Indices of the first type of the recursion group, and of the type after its last. */
  readonly groupStart: number;
  readonly groupEnd: number;
};

const REC = 0x4e;
const SUB = 0x50;
const SUB_FINAL = 0x4f;
const FUNC = 0x60;
const STRUCT = 0x5f;
const ARRAY = 0x5e;
const CONT = 0x5d;

/** Everything after the section header. */
export function readTypeSection(reader: Reader): TypeDefinition[] {
  const types: TypeDefinition[] = [];
  for (let left = reader.count("types"); left > 0; left--) {
    const groupStart = types.length;
    const isGroup = reader.remaining > 0 && reader.bytes[reader.position] === REC;
    if (isGroup) reader.u8();
    const size = isGroup ? reader.count("types of a recursion group") : 1;
    for (let inGroup = 0; inGroup < size; inGroup++) types.push(readSubtype(reader, groupStart, groupStart + size));
  }
  return types;
}

function readSubtype(reader: Reader, groupStart: number, groupEnd: number): TypeDefinition {
  const form = reader.u8("a type");
  const supertypes: number[] = [];
  if (form !== SUB && form !== SUB_FINAL) {
    return { ...readCompositeType(reader, form), final: true, supertypes, groupStart, groupEnd };
  }
  for (let left = reader.count("supertypes"); left > 0; left--) supertypes.push(reader.u32("a type index"));
  return {
    ...readCompositeType(reader, reader.u8("a type")),
    final: form === SUB_FINAL,
    supertypes,
    groupStart,
    groupEnd,
  };
}

function readCompositeType(reader: Reader, form: number): CompositeType {
  switch (form) {
    case FUNC:
      return { kind: "func", ...readFunctionType(reader) };
    case STRUCT: {
      const fields: FieldType[] = [];
      for (let left = reader.count("fields", 2); left > 0; left--) fields.push(readFieldType(reader));
      return { kind: "struct", fields };
    }
    case ARRAY:
      return { kind: "array", element: readFieldType(reader) };
    case CONT:
      return { kind: "cont", functionType: reader.u32("a type index") };
    default:
      return reader.fail(
        `a function, struct, array or continuation type, received 0x${form.toString(16)}`,
        reader.position - 1,
      );
  }
}

function readFieldType(reader: Reader): FieldType {
  const type = readStorageType(reader);
  const mutability = reader.u8("the mutability of a field (0 or 1)");
  if (mutability > 1) reader.fail(`the mutability of a field (0 or 1), received ${mutability}`, reader.position - 1);
  return { type, mutable: mutability === 1 };
}
