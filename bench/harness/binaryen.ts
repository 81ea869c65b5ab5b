/**
 * What Binaryen's Asyncify makes of a module, to compare with: `wasm-opt --asyncify -O2` of the npm package `binaryen`.
 * It takes long, so the result is kept in build/bench.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { findInstalled } from "./packages.ts";

export interface Asyncified {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Milliseconds that it took, in a process of its own. */
  readonly ms: number;
}

const FOLDER = "build/bench";
/** Not `--all-features`: engines refuse what Binaryen writes then. */
const FEATURES = [
  "--enable-mutable-globals",
  "--enable-sign-ext",
  "--enable-nontrapping-float-to-int",
  "--enable-bulk-memory",
  "--enable-bulk-memory-opt",
  "--enable-multivalue",
  "--enable-reference-types",
  "--enable-simd",
];

/** Null when Binaryen is not installed. */
export function asyncify(bytes: Uint8Array): Asyncified | null {
  const wasmOpt = findInstalled("binaryen/bin/wasm-opt");
  if (wasmOpt === null) return null;
  const base = path.join(FOLDER, createHash("sha256").update(bytes).digest("hex").slice(0, 16));
  const [input, output, time] = [`${base}.wasm`, `${base}-asyncify.wasm`, `${base}-asyncify.ms`];
  if (!existsSync(time)) {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(input, bytes);
    const start = performance.now();
    execFileSync(process.execPath, [wasmOpt, input, "--asyncify", "-O2", ...FEATURES, "-o", output]);
    writeFileSync(time, String(performance.now() - start));
  }
  return { bytes: new Uint8Array(readFileSync(output)), ms: Number(readFileSync(time, "utf8")) };
}
