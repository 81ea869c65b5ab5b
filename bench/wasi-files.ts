/** What files cost a program: the same one under `node:wasi` and on each backend, over the same directory. */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { WASI as NodeWasi } from "node:wasi";
import { backends, instantiate } from "stackful";
import type { BackendName } from "stackful";
import { MemoryFileSystem, WASI } from "stackful/wasi";
import type { WasiOptions } from "stackful/wasi";
import { bytesOf } from "./harness/guests.ts";
import type { GuestFunctions } from "./harness/guests.ts";
import { measure } from "./harness/measure.ts";
import type { GroupResult, Row } from "./harness/measure.ts";
import { runParts } from "./harness/parts.ts";

const GUEST = "wasi-files";
const LARGE_MIB = 100;
const SMALL = 10_000;
const OPENED = 2000;
const LISTED = 1000;

/** Files in memory where the system has such a place: what a disk does is not what is measured. */
const FOLDER = mkdtempSync(path.join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "stackful-bench-"));
process.on("exit", () => rmSync(FOLDER, { recursive: true, force: true }));

async function underNode(): Promise<GuestFunctions> {
  const wasi = new NodeWasi({ version: "preview1", preopens: { "/": FOLDER } });
  const imports = wasi.getImportObject() as WebAssembly.Imports;
  const { instance } = await WebAssembly.instantiate(bytesOf(GUEST), imports);
  wasi.initialize(instance);
  return instance.exports as unknown as GuestFunctions;
}

async function underStackful(backend: BackendName, preopens: WasiOptions["preopens"]): Promise<GuestFunctions> {
  const wasi = new WASI({ preopens });
  const instance = await instantiate<GuestFunctions>(bytesOf(GUEST), wasi.imports(), { backend });
  await wasi.initialize(instance);
  return instance.exports;
}

interface Case {
  readonly title: string;
  readonly run: (guest: GuestFunctions) => unknown;
  readonly expected: number;
  readonly operations: number;
  readonly limit?: number;
  readonly samples?: number;
}

async function compare(
  { title, run, expected, operations, limit, samples }: Case,
  isInMemory: boolean,
): Promise<GroupResult> {
  const node = await underNode();
  const rows: Row[] = [{ name: "node:wasi", run: () => run(node), expected }];
  for (const { name } of backends().filter(({ available }) => available)) {
    const files = await underStackful(name, { "/": isInMemory ? new MemoryFileSystem().root : FOLDER });
    const row = { name: `stackful, ${name}${isInMemory ? ", files in memory" : ""}`, run: () => run(files), expected };
    rows.push(limit === undefined || isInMemory ? row : { ...row, limit });
  }
  return measure({ title, operations, rows, ...(samples === undefined ? {} : { samples }) });
}

const large: readonly Case[] = [
  {
    title: `${LARGE_MIB} MiB are written, 1 MiB at a time; for each`,
    run: (guest) => guest["write_large"]!(LARGE_MIB),
    expected: LARGE_MIB,
    operations: LARGE_MIB,
    limit: 1.3,
    samples: 9,
  },
  {
    title: `${LARGE_MIB} MiB are written and read, 1 MiB at a time; for each`,
    run: async (guest) => {
      await guest["write_large"]!(LARGE_MIB);
      return guest["read_large"]!();
    },
    expected: LARGE_MIB,
    operations: LARGE_MIB,
    limit: 1.3,
    samples: 9,
  },
];

const small: readonly Case[] = [
  {
    title: "fd_write of 32 bytes",
    run: (guest) => guest["write_small"]!(SMALL),
    expected: SMALL,
    operations: SMALL,
    limit: 1.5,
  },
  {
    title: "fd_pread of 32 bytes",
    run: async (guest) => {
      await guest["write_small"]!(1);
      return guest["read_small"]!(SMALL);
    },
    expected: SMALL,
    operations: SMALL,
  },
];

const names: readonly Case[] = [
  {
    title: "path_open and fd_close of a file",
    run: (guest) => guest["open_files"]!(OPENED, 0),
    expected: OPENED,
    operations: OPENED,
  },
  {
    title: "path_open and fd_close of a file, three directories deep",
    run: (guest) => guest["open_files"]!(OPENED, 1),
    expected: OPENED,
    operations: OPENED,
  },
  {
    title: "path_filestat_get",
    run: async (guest) => {
      await guest["open_files"]!(1, 0);
      return guest["stat_files"]!(OPENED);
    },
    expected: OPENED,
    operations: OPENED,
  },
  {
    title: `fd_readdir of ${LISTED} names, for each`,
    run: (guest) => guest["list_files"]!(LISTED),
    expected: LISTED,
    operations: LISTED,
  },
];

/** Files on a disk and in memory are not in one process: engines make of one kind of file something faster than of two. */
const part =
  (cases: readonly Case[], isInMemory = false) =>
  async (): Promise<GroupResult[]> => {
    const results: GroupResult[] = [];
    for (const one of cases) results.push(await compare(one, isInMemory));
    return results;
  };

const parts = {
  large: part(large),
  small: part(small),
  names: part(names),
  "in-memory": part([...large, ...small, ...names], true),
};
await runParts(import.meta.url, parts, ["--no-warnings"]);
