/**
 * A host for WASI programs: `node:wasi`, made to give the same answers in each run. Clocks count their readings, random
 * bytes have a seed, and files have numbers and times that do not depend on when they were made.
 */

import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { WASI } from "node:wasi";
import type { HostFunction, Observation } from "./observation.ts";

export interface WasiOptions {
  /** With the name of the program. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Files of the folder that the program knows as `/work`. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Further folders: as the program knows them → where they are. */
  readonly folders?: Readonly<Record<string, string>>;
}

const ERRNO_SUCCESS = 0;
const READING_NS = 1_000_003n;
const EPOCH_NS = 1_700_000_000_000_000_000n;

/** Offsets and sizes of preview 1, in bytes. */
const FILESTAT = { device: 0, inode: 8, accessed: 40, modified: 48, changed: 56 };
const DIRENT = { inode: 8, nameLength: 16, size: 24 };
const SUBSCRIPTION = { size: 48, tag: 8, clock: 16, timeout: 24, flags: 40 };
const EVENT = { size: 32, error: 8, type: 10, bytes: 16 };
const TAG_CLOCK = 0;
const ABSOLUTE_TIME = 1;

export class WasiHost {
  readonly imports: { readonly wasi_snapshot_preview1: Record<string, HostFunction> };
  readonly #wasi: WASI;
  readonly #root: string;
  readonly #handles: readonly number[];
  readonly #inodes = new Map<bigint, bigint>();
  #now = EPOCH_NS;
  #random = 1;
  #memory: WebAssembly.Memory | undefined;

  constructor(options: WasiOptions) {
    this.#root = mkdtempSync(path.join(os.tmpdir(), "stackful-program-"));
    const work = path.join(this.#root, "work");
    mkdirSync(work);
    for (const [name, contents] of Object.entries(options.files ?? {})) {
      mkdirSync(path.dirname(path.join(work, name)), { recursive: true });
      writeFileSync(path.join(work, name), contents);
    }
    writeFileSync(this.#file("stdin"), options.stdin ?? "");
    this.#handles = [
      openSync(this.#file("stdin"), "r"),
      openSync(this.#file("stdout"), "w"),
      openSync(this.#file("stderr"), "w"),
    ];
    const [stdin, stdout, stderr] = this.#handles as [number, number, number];
    this.#wasi = new WASI({
      version: "preview1",
      args: [...options.args],
      env: { ...options.env },
      preopens: { "/work": work, ...options.folders },
      returnOnExit: true,
      stdin,
      stdout,
      stderr,
    });
    this.imports = {
      wasi_snapshot_preview1: { ...(this.#wasi.wasiImport as Record<string, HostFunction>), ...this.#replaced() },
    };
  }

  /** Runs a command to its end. */
  start(guest: WebAssembly.Instance): Observation {
    this.#memory = guest.exports["memory"] as WebAssembly.Memory;
    return this.observe(this.#wasi.start(guest));
  }

  initialize(guest: WebAssembly.Instance): void {
    this.#memory = guest.exports["memory"] as WebAssembly.Memory;
    this.#wasi.initialize(guest);
  }

  /** What there is to see now. Ends the host. */
  observe(exitCode: number): Observation {
    for (const handle of this.#handles) closeSync(handle);
    const stdout = readFileSync(this.#file("stdout"), "utf8");
    const stderr = readFileSync(this.#file("stderr"), "utf8");
    const files = readFolder(path.join(this.#root, "work"));
    rmSync(this.#root, { recursive: true });
    return { exitCode, stdout, stderr, files, memory: this.#memory! };
  }

  #file(name: string): string {
    return path.join(this.#root, name);
  }

  get #view(): DataView {
    return new DataView(this.#memory!.buffer);
  }

  /** What `node:wasi` would answer differently each time, and its `poll_oneoff`, which does not know absolute times. */
  #replaced(): Record<string, HostFunction> {
    const {
      path_filestat_get: pathFilestat,
      fd_filestat_get: fdFilestat,
      fd_readdir: readFolderEntries,
    } = this.#wasi.wasiImport as Record<string, HostFunction>;
    return {
      clock_time_get: (_clock, _precision, time) => {
        this.#now += READING_NS;
        this.#view.setBigUint64(Number(time), this.#now, true);
        return ERRNO_SUCCESS;
      },
      clock_res_get: (_clock, resolution) => {
        this.#view.setBigUint64(Number(resolution), 1n, true);
        return ERRNO_SUCCESS;
      },
      random_get: (start, length) => {
        const bytes = new Uint8Array(this.#memory!.buffer, Number(start), Number(length));
        for (let index = 0; index < bytes.length; index++) bytes[index] = this.#nextRandom();
        return ERRNO_SUCCESS;
      },
      path_filestat_get: (...parameters) => this.#normalizeStat(pathFilestat!(...parameters), Number(parameters[4])),
      fd_filestat_get: (...parameters) => this.#normalizeStat(fdFilestat!(...parameters), Number(parameters[1])),
      fd_readdir: (...parameters) => {
        const errno = readFolderEntries!(...parameters);
        if (errno === ERRNO_SUCCESS) this.#normalizeEntries(Number(parameters[1]), Number(parameters[4]));
        return errno;
      },
      poll_oneoff: (subscriptions, events, count, stored) =>
        this.#poll(Number(subscriptions), Number(events), Number(count), Number(stored)),
    };
  }

  #nextRandom(): number {
    this.#random = (Math.imul(this.#random, 1_103_515_245) + 12_345) | 0;
    return (this.#random >>> 16) & 255;
  }

  #normalizeStat(errno: unknown, address: number): unknown {
    if (errno !== ERRNO_SUCCESS) return errno;
    const view = this.#view;
    view.setBigUint64(address + FILESTAT.device, 1n, true);
    this.#normalizeInode(view, address + FILESTAT.inode);
    for (const time of [FILESTAT.accessed, FILESTAT.modified, FILESTAT.changed]) {
      view.setBigUint64(address + time, EPOCH_NS, true);
    }
    return errno;
  }

  #normalizeEntries(start: number, used: number): void {
    const view = this.#view;
    const end = start + view.getUint32(used, true);
    for (let entry = start; entry + DIRENT.size <= end;) {
      this.#normalizeInode(view, entry + DIRENT.inode);
      entry += DIRENT.size + view.getUint32(entry + DIRENT.nameLength, true);
    }
  }

  /** Files are numbered in the order in which they are met. */
  #normalizeInode(view: DataView, address: number): void {
    const inode = view.getBigUint64(address, true);
    if (!this.#inodes.has(inode)) this.#inodes.set(inode, BigInt(this.#inodes.size + 1));
    view.setBigUint64(address, this.#inodes.get(inode)!, true);
  }

  /** Everything is ready at once, except clocks when there is nothing else: then the first one, and its time has come. */
  #poll(subscriptions: number, events: number, count: number, stored: number): number {
    const view = this.#view;
    const addresses = Array.from({ length: count }, (_, index) => subscriptions + index * SUBSCRIPTION.size);
    const isClock = (address: number): boolean => view.getUint8(address + SUBSCRIPTION.tag) === TAG_CLOCK;
    let ready = addresses.filter((address) => !isClock(address));
    if (ready.length === 0) {
      const until = (address: number): bigint => this.#deadline(view, address);
      const first = addresses.reduce((best, address) => (until(address) < until(best) ? address : best));
      const deadline = until(first);
      if (deadline > this.#now) this.#now = deadline;
      ready = [first];
    }
    for (const [index, address] of ready.entries()) {
      const event = events + index * EVENT.size;
      view.setBigUint64(event, view.getBigUint64(address, true), true);
      view.setUint16(event + EVENT.error, 0, true);
      view.setUint8(event + EVENT.type, view.getUint8(address + SUBSCRIPTION.tag));
      view.setBigUint64(event + EVENT.bytes, isClock(address) ? 0n : 1n, true);
      view.setBigUint64(event + EVENT.bytes + 8, 0n, true);
    }
    view.setUint32(stored, ready.length, true);
    return ERRNO_SUCCESS;
  }

  #deadline(view: DataView, address: number): bigint {
    const timeout = view.getBigUint64(address + SUBSCRIPTION.timeout, true);
    const isAbsolute = (view.getUint16(address + SUBSCRIPTION.flags, true) & ABSOLUTE_TIME) !== 0;
    return isAbsolute ? timeout : this.#now + timeout;
  }
}

/** All files below a folder, by their paths. */
export function readFolder(folder: string): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted()) {
    const file = path.join(folder, name);
    if (statSync(file).isFile()) files[name] = readFileSync(file);
  }
  return files;
}
