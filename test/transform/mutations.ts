/** Binaries that are broken on purpose, and what may become of them: a refusal, or modules that engines accept. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { decodeModule } from "#src/binary/decode-module";
import type { BinaryModule } from "#src/binary/module";
import { Writer } from "#src/binary/writer";
import { TransformError } from "#src/transform/refusal";
import { transformModule } from "#src/transform/transform-module";
import { processorMs } from "../processor-time.ts";

/** Numbers that look random, the same for the same seed: mulberry32. */
export type Random = (below: number) => number;

export function randomNumbers(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const FOLDERS = ["test/guests", "test/transform/generated"];

/** The modules that are broken: guests of the tests, and generated ones. */
export function mutationSources(): BinaryModule[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith(".wasm"))
      .map((file) => decodeModule(new Uint8Array(readFileSync(`${folder}/${file}`)))),
  );
}

/** Numbers of sections, locals, types, …: the most that 32 bits hold, and some that are nearly right. */
const EXTREMES: readonly (readonly number[])[] = [
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0x80, 0x80, 0x80, 0x80, 0x08],
  [0xff, 0xff, 0x03],
  [0x80, 0x80, 0x04],
  [0x7f],
  [0x00],
];

type Mutation = (module: BinaryModule, random: Random) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  ({ bytes }, random) => bytes.slice(0, random(bytes.length)),
  changeBytes,
  changeBytes,
  (module, random) => spliced(module, random, () => []),
  (module, random) => spliced(module, random, () => EXTREMES[random(EXTREMES.length)]!),
  (module, random) => spliced(module, random, () => copiedCode(module, random)),
  changeBody,
  changeBody,
  changeBody,
  moveSection,
];

export function mutate(module: BinaryModule, random: Random): Uint8Array<ArrayBuffer> {
  return new Uint8Array(MUTATIONS[random(MUTATIONS.length)]!(module, random));
}

function changeBytes({ bytes }: BinaryModule, random: Random): Uint8Array {
  const changed = bytes.slice();
  for (let left = 1 + random(3); left > 0; left--) changed[8 + random(bytes.length - 8)] = random(256);
  return changed;
}

/** In the code only: most of it is still valid then. */
function changeBody(module: BinaryModule, random: Random): Uint8Array {
  const { bytes, bodies } = module;
  if (bodies.length === 0) return changeBytes(module, random);
  const changed = bytes.slice();
  for (let left = 1 + random(2); left > 0; left--) {
    const body = random(bodies.length / 2) * 2;
    const start = bodies[body]!;
    const position = start + random(bodies[body + 1]! - start);
    // Near the old value there is often an instruction or index that fits, too.
    changed[position] = random(2) === 0 ? random(256) : changed[position]! + random(9) - 4;
  }
  return changed;
}

/** Replaces up to four bytes of a section; its size fits afterwards. */
function spliced(
  { bytes, sections }: BinaryModule,
  random: Random,
  replacement: () => readonly number[] | Uint8Array,
): Uint8Array {
  const changed = sections[random(sections.length)]!;
  const writer = new Writer(bytes.length + 256);
  writer.bytes(bytes, 0, 8);
  for (const section of sections) {
    if (section !== changed) {
      writer.bytes(bytes, section.start, section.end);
      continue;
    }
    const position = section.contentStart + random(section.end - section.contentStart);
    writer.section(section.id, () => {
      writer.bytes(bytes, section.contentStart, position);
      writer.bytes(Uint8Array.from(replacement()));
      writer.bytes(bytes, Math.min(section.end, position + random(5)), section.end);
    });
  }
  return writer.toBytes();
}

function copiedCode({ bytes }: BinaryModule, random: Random): Uint8Array {
  const start = random(bytes.length);
  return bytes.slice(start, start + random(40));
}

/** Moves one behind another, or repeats it. */
function moveSection({ bytes, sections }: BinaryModule, random: Random): Uint8Array {
  const order = [...sections];
  const [moved] = random(2) === 0 ? order.splice(random(order.length), 1) : [order[random(order.length)]!];
  order.splice(random(order.length + 1), 0, moved!);
  return Buffer.concat([bytes.slice(0, 8), ...order.map(({ start, end }) => bytes.slice(start, end))]);
}

/** What became of a binary. `invalid`: the engine does not accept it, either. */
export type Fate = "invalid" | "refused" | "transformed";

const LIMIT_MS = 5000;

/**
 * Transforms a binary that may be anything.
 *
 * @throws {assert.AssertionError} when it is an unexpected error, takes too long, or is not valid afterwards
 */
export function transformHostile(bytes: Uint8Array<ArrayBuffer>, multiMemory?: boolean): Fate {
  const start = processorMs();
  try {
    const transformed = transformModule(bytes, multiMemory === undefined ? {} : { multiMemory });
    for (const module of [transformed.main, transformed.runtime, transformed.resume()]) {
      if (module) requireValid(module);
    }
    return "transformed";
  } catch (error) {
    if (error instanceof TransformError) return "refused";
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    assert(!WebAssembly.validate(bytes), `Refused as invalid, but it is valid: ${error.message}`);
    return "invalid";
  } finally {
    const ms = processorMs() - start;
    assert(ms < LIMIT_MS, `It took ${ms.toFixed(0)} ms`);
  }
}

function requireValid(bytes: Uint8Array<ArrayBuffer>): void {
  if (WebAssembly.validate(bytes)) return;
  let reason: unknown;
  try {
    void new WebAssembly.Module(bytes);
  } catch (error) {
    reason = error;
  }
  assert.fail(`A result is not valid: ${String(reason)}`);
}
