/**
 * `node:fs` on one folder whose path is the same in each run, with handles, numbers and times of files that are the same in
 * each run.
 */

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { readFolder } from "./wasi.ts";

type Call = (...parameters: unknown[]) => unknown;

/** Functions of `node:fs` that take a handle first. */
const WITH_HANDLE = new Set([
  "closeSync",
  "readSync",
  "writeSync",
  "fstatSync",
  "ftruncateSync",
  "fsyncSync",
  "fchmodSync",
]);
const FIRST_HANDLE = 10;
const TIME_MS = 1_700_000_000_000;

export class SteadyFiles {
  readonly folder: string = path.join(os.tmpdir(), `stackful-files-${process.pid}`);
  /** A `node:fs` with the synchronous functions. */
  readonly fs: Record<string, unknown>;
  readonly #handles: number[] = [];
  readonly #inodes = new Map<number, number>();

  constructor(files: Readonly<Record<string, string>> = {}) {
    fs.rmSync(this.folder, { recursive: true, force: true });
    fs.mkdirSync(this.folder);
    for (const [name, contents] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(this.folder, name)), { recursive: true });
      fs.writeFileSync(path.join(this.folder, name), contents);
    }
    this.fs = { ...fs, ...this.#replaced() };
  }

  /** What the files are now. Removes them. */
  finish(): Record<string, Uint8Array> {
    const files = readFolder(this.folder);
    fs.rmSync(this.folder, { recursive: true });
    return files;
  }

  #replaced(): Record<string, Call> {
    const functions = fs as unknown as Record<string, Call>;
    const replaced: Record<string, Call> = {
      openSync: (...parameters) =>
        FIRST_HANDLE - 1 + this.#handles.push(functions["openSync"]!(...parameters) as number),
      statSync: (...parameters) => this.#steady(functions["statSync"]!(...parameters) as fs.Stats),
      lstatSync: (...parameters) => this.#steady(functions["lstatSync"]!(...parameters) as fs.Stats),
    };
    for (const name of WITH_HANDLE) {
      replaced[name] = (handle, ...parameters) =>
        functions[name]!(this.#handles[(handle as number) - FIRST_HANDLE], ...parameters);
    }
    const { fstatSync } = replaced;
    replaced["fstatSync"] = (...parameters) => this.#steady(fstatSync!(...parameters) as fs.Stats);
    return replaced;
  }

  #steady(stats: fs.Stats): fs.Stats {
    if (!this.#inodes.has(stats.ino)) this.#inodes.set(stats.ino, this.#inodes.size + 1);
    const times = { atimeMs: TIME_MS, mtimeMs: TIME_MS, ctimeMs: TIME_MS, birthtimeMs: TIME_MS };
    // Blocks are counted when the system writes them, some time later.
    return Object.assign(stats, times, { dev: 1, ino: this.#inodes.get(stats.ino)!, blocks: 0 });
  }
}
