/** Random modules, most of them made with `wasm-opt -ttf` of the npm package `binaryen`. The same seed gives the same module. */

import { execFile } from "node:child_process";
import { createCipheriv } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { generateLegacyModule } from "./generate-legacy.ts";

const BASE = [
  "--enable-mutable-globals",
  "--enable-sign-ext",
  "--enable-nontrapping-float-to-int",
  "--enable-bulk-memory",
  "--enable-bulk-memory-opt",
  "--enable-multivalue",
  "--enable-simd",
];
const REFERENCES = [...BASE, "--enable-reference-types", "--enable-tail-call"];
/** Engines refuse modules that mix the two forms of exceptions, and -ttf would mix them. */
const EXCEPTIONS = [...REFERENCES, "--enable-exception-handling", "--translate-to-exnref"];

/**
 * Name → what the modules may use. Each set is listed: with `--all-features` most modules use something that no engine has.
 * Seeds take them in turn.
 */
const FEATURES: Readonly<Record<string, readonly string[]>> = {
  simd: BASE,
  references: REFERENCES,
  exceptions: EXCEPTIONS,
  gc: [...EXCEPTIONS, "--enable-gc", "--enable-relaxed-simd", "--enable-extended-const"],
  threads: [...REFERENCES, "--enable-threads"],
  memory64: [...REFERENCES, "--enable-memory64"],
};

/** Exceptions in the legacy form, from a generator of their own. */
export const LEGACY = "legacy";

/** The sets of features that there are. */
export const FEATURE_NAMES: readonly string[] = [...Object.keys(FEATURES), LEGACY];

const WASM_OPT = fileURLToPath(import.meta.resolve("binaryen/bin/wasm-opt"));
const TIMEOUT_MS = 60_000;
const MIN_INPUT_BYTES = 400;
const MAX_INPUT_BYTES = 53_000;

const execute = promisify(execFile);

export interface GeneratedModule {
  readonly seed: number;
  readonly features: string;
  /** Null when the generator fails, or takes longer than a minute. */
  readonly bytes: Uint8Array<ArrayBuffer> | null;
}

/** `folder` is for files that exist while the generator runs. */
export async function generateModule(seed: number, folder: string): Promise<GeneratedModule> {
  const features = FEATURE_NAMES[seed % FEATURE_NAMES.length]!;
  if (features === LEGACY) return { seed, features, bytes: await generateLegacyModule(seed) };
  const input = path.join(folder, `${seed}.bytes`);
  const output = path.join(folder, `${seed}.wasm`);
  await writeFile(input, randomBytes(seed));
  try {
    const flags = ["-ttf", "--mvp-features", ...FEATURES[features]!];
    await execute(process.execPath, [WASM_OPT, input, ...flags, "-o", output], { timeout: TIMEOUT_MS });
    return { seed, features, bytes: new Uint8Array(await readFile(output)) };
  } catch {
    return { seed, features, bytes: null };
  } finally {
    await rm(input);
    await rm(output, { force: true });
  }
}

/** Decides what the module is. */
function randomBytes(seed: number): Uint8Array {
  const length = MIN_INPUT_BYTES + ((seed * 977) % (MAX_INPUT_BYTES - MIN_INPUT_BYTES));
  const key = Buffer.from(String(seed).padStart(32, "0"), "hex");
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}
