/** Types of, and look-ups in, the table of instructions. */

import { OPCODE_TABLE } from "./opcode-table.ts";

type Row = (typeof OPCODE_TABLE)[number];
type Words<Text extends string> = Text extends `${infer First} ${infer Rest}` ? First | Words<Rest> : Text;
type NamesOf<R extends Row> = R[1] extends "" ? Words<R[2]> : `${R[1]}.${Words<R[2]>}`;
type RuleOf<Effect extends string> = Effect extends `${string}->${string}` ? never : Effect;

/** Name of an instruction → its immediates, as the table spells them. */
export type OpcodeImmediates = { [R in Row as NamesOf<R>]: R[3] };
/**
 * The name of an instruction, as in WebAssembly text; `select_typed`, `ref.test_null` and `ref.cast_null` have one of
 * their own.
 */
export type OpcodeName = keyof OpcodeImmediates;
/** One immediate of an instruction; opcode-table.ts explains them. */
export type Immediate = Exclude<Words<Row[3]>, "">;
/** What an instruction without a fixed number of operands and results does to the stack. */
export type StackRule = RuleOf<Row[4]>;
/** A value type or what stands for one, see opcode-table.ts. */
export type StackType = Exclude<Words<Row[4]>, "->" | StackRule>;

/** Everything the table says about one instruction. */
export interface Opcode {
  readonly name: OpcodeName;
  /** The number of this instruction in this library; see {@link opcodeNumber}. */
  readonly number: number;
  readonly immediates: readonly Immediate[];
  /** Operands and results, the last one on top of the stack; null when there is a {@link Opcode.rule} instead. */
  readonly effect: { readonly operands: readonly StackType[]; readonly results: readonly StackType[] } | null;
  readonly rule: StackRule | null;
}

/** The first byte of instructions with two-part opcodes, 0xfb to 0xfe. */
export const FIRST_PREFIX = 0xfb;
export const LAST_PREFIX = 0xfe;
/** Opcodes with one prefix; the largest in use is 0x113. */
export const OPCODES_PER_PREFIX = 0x200;
/** One more than the largest opcode number: the length of a table indexed by opcode numbers. */
export const OPCODE_LIMIT: number = OPCODES_PER_PREFIX * (LAST_PREFIX - FIRST_PREFIX + 2);

/**
 * The number by which this library knows an opcode, dense enough to index a table.
 *
 * An opcode of one byte is itself. `prefix` opcodes follow in pages of {@link OPCODES_PER_PREFIX}: 0xfb from 0x200,
 * 0xfc from 0x400, 0xfd from 0x600, 0xfe from 0x800.
 */
export function opcodeNumber(prefix: number, opcode: number): number {
  return (prefix - FIRST_PREFIX + 1) * OPCODES_PER_PREFIX + opcode;
}

function parseTable(): (Opcode | undefined)[] {
  const opcodes = Array<Opcode | undefined>(OPCODE_LIMIT).fill(undefined);
  for (const [first, namespace, names, immediates, effect, step = 1] of OPCODE_TABLE) {
    const prefix = namespace === "" ? "" : `${namespace}.`;
    const shared = { immediates: words(immediates) as Immediate[], ...parseEffect(effect) };
    let number = first <= 0xff ? first : opcodeNumber(first >> 12, first & 0xfff);
    for (const name of names.split(" ")) {
      opcodes[number] = { name: (prefix + name) as OpcodeName, number, ...shared };
      number += step;
    }
  }
  return opcodes;
}

function parseEffect(effect: string): Pick<Opcode, "effect" | "rule"> {
  const [operands, results] = effect.split("->");
  if (operands === undefined || results === undefined) return { effect: null, rule: effect as StackRule };
  return { effect: { operands: words(operands) as StackType[], results: words(results) as StackType[] }, rule: null };
}

function words(text: string): string[] {
  const trimmed = text.trim();
  return trimmed === "" ? [] : trimmed.split(" ");
}

/** Opcode number → its description; `undefined` where there is no instruction. */
export const OPCODES: readonly (Opcode | undefined)[] = parseTable();

const numberOf = new Map<string, number>();
for (const entry of OPCODES) if (entry) numberOf.set(entry.name, entry.number);

/**
 * The number of the instruction called `name`: `opcode("local.tee")` is 0x22. Meant for constants at the top of a file.
 */
export function opcode(name: OpcodeName): number {
  return numberOf.get(name)!;
}

/** The name of an instruction for messages, also for numbers that are none. */
export function opcodeName(number: number): string {
  return OPCODES[number]?.name ?? `opcode 0x${number.toString(16)}`;
}
