/** A program that calls everything that WASI offers, with whatever comes to its mind. The same in each run with the same seed. */

import assert from "node:assert/strict";
import { DIRECTORY_RIGHTS, FILE_RIGHTS } from "#src/wasi/preview1/rights";
import { SIGNATURES } from "#src/wasi/preview1/signature-table";
import type { ParameterKind, ResultKind, SyscallName } from "#src/wasi/preview1/signature-table";
import { randomNumbers } from "../programs/program.ts";
import type { GuestCalls } from "./guest-calls.ts";

type Param = number | bigint;

/** The highest error number there is. (witx: `errno`, `notcapable`) */
const LAST_ERRNO = 76;

const NAMES = (Object.keys(SIGNATURES) as SyscallName[]).filter((name) => !name.startsWith("proc_"));

const DESTRUCTIVE: ReadonlySet<string> = new Set(["fd_close", "fd_renumber", "fd_fdstat_set_rights"]);

const INTEGERS = [
  0,
  1,
  2,
  3,
  4,
  7,
  8,
  16,
  255,
  1024,
  1025,
  65_535,
  2 ** 16,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 8,
  2 ** 32 - 1,
];
const BIG_INTEGERS = [
  0n,
  1n,
  2n,
  100n,
  2n ** 20n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const SETS_OF_RIGHTS = [0n, 2n, 66n, FILE_RIGHTS, DIRECTORY_RIGHTS, 2n ** 30n - 1n, 2n ** 64n - 1n];
const encoder = new TextEncoder();

/** Ways in, and out. */
const PATHS: readonly Uint8Array[] = [
  ...[
    "",
    ".",
    "..",
    "/",
    "//",
    "./",
    "../",
    "file",
    "file/",
    "file/.",
    "folder",
    "folder/",
    "folder/../..",
    "new",
    "new/",
  ],
  ...["folder/new", "../outside", "../outside/secret", "../inside/file", "folder/../../outside/secret", "/etc/passwd"],
  ...[
    "up",
    "up/outside/secret",
    "out",
    "out/secret",
    "out/new",
    "absolute",
    "absolute/secret",
    "secret",
    "loop",
    "loop/x",
  ],
  ...[
    "file\0",
    "a\0../../outside",
    "..\\outside",
    "C:\\",
    "x".repeat(255),
    "x".repeat(256),
    "x/".repeat(2100),
    "../".repeat(50),
  ],
  ...["/dev/tcp/127.0.0.1/1", "ä€😀", "\u2024\u2024/outside", "%2e%2e/outside", "folder/./../file", "...", "folder//x"],
]
  .map((text) => encoder.encode(text))
  .concat([Uint8Array.of(0xff, 0xfe), Uint8Array.of(0xc0, 0xae, 0xc0, 0xae, 0x2f), Uint8Array.of(0xed, 0xa0, 0x80)]);

/** Where the texts, arrays of buffers and subscriptions are that calls are given. */
const TEXTS = 4096;
const VECTORS = 40_960;
const SUBSCRIPTIONS = 49_152;

export class HostileProgram {
  readonly #guest: GuestCalls;
  readonly #random: () => number;
  readonly #texts: (readonly [pointer: number, length: number])[] = [];
  readonly #size: number;
  /** Call → error numbers that it has answered with. */
  readonly answers: Map<SyscallName, Set<number>> = new Map();

  constructor(guest: GuestCalls, seed: number) {
    this.#guest = guest;
    this.#random = randomNumbers(seed);
    this.#size = guest.memory.buffer.byteLength;
    let at = TEXTS;
    for (const bytes of PATHS) {
      guest.bytes.set(bytes, at);
      this.#texts.push([at, bytes.length]);
      at += bytes.length + 1;
    }
    assert.ok(at < VECTORS);
  }

  async call(): Promise<void> {
    const name = this.#name();
    this.#prepareMemory();
    const { params, results } = SIGNATURES[name];
    const values = params.flatMap(([, kind]) => this.#valueOf(kind));
    values.push(...results.map(() => this.#pointer()));
    const shown = `${name}(${values.join(", ")})`;
    const errno: unknown = await this.#answer(name, values, shown);
    assert.ok(
      Number.isInteger(errno) && Number(errno) >= 0 && Number(errno) <= LAST_ERRNO,
      `${shown}: ${String(errno)}`,
    );
    assert.equal(this.#guest.memory.buffer.byteLength, this.#size, shown);
    const answers = this.answers.get(name) ?? new Set();
    this.answers.set(name, answers.add(errno as number));
  }

  async #answer(name: SyscallName, values: readonly Param[], shown: string): Promise<unknown> {
    try {
      return await this.#guest.start(name, ...values);
    } catch (error) {
      throw new Error(`${shown} threw`, { cause: error });
    }
  }

  /** What leaves the program with nothing comes rarely. */
  #name(): SyscallName {
    const name = this.#oneOf(NAMES);
    return DESTRUCTIVE.has(name) && this.#number(4) > 0 ? this.#name() : name;
  }

  #number(limit: number): number {
    return this.#random() % limit;
  }

  #oneOf<Value>(values: readonly Value[]): Value {
    return values[this.#number(values.length)]!;
  }

  /** Somewhere in the memory, at its end, at the end of all memories, or nowhere. */
  #pointer(): number {
    const kind = this.#number(20);
    if (kind < 15) return 64 + 8 * this.#number(100);
    if (kind < 16) return this.#size - this.#number(16);
    if (kind < 17) return this.#size + this.#number(16);
    if (kind < 18) return 2 ** 32 - 1 - this.#number(64);
    return this.#oneOf(INTEGERS);
  }

  #length(): number {
    const kind = this.#number(4);
    if (kind < 3) return this.#number(300);
    return this.#oneOf(INTEGERS);
  }

  /** Arrays of buffers and subscriptions with anything in them; standard output and random numbers are written over them too. */
  #prepareMemory(): void {
    const { view } = this.#guest;
    for (let index = 0; index < 16; index++) {
      view.setUint32(VECTORS + 8 * index, this.#pointer(), true);
      view.setUint32(VECTORS + 8 * index + 4, this.#length(), true);
    }
    for (let index = 0; index < 4; index++) {
      const at = SUBSCRIPTIONS + 48 * index;
      view.setBigUint64(at, BigInt(index), true);
      view.setUint8(at + 8, this.#number(10) < 9 ? this.#number(3) : this.#number(256));
      view.setUint32(at + 16, this.#number(10) < 7 ? this.#number(5) : this.#oneOf(INTEGERS), true);
      view.setBigUint64(at + 24, this.#oneOf(BIG_INTEGERS), true);
      view.setBigUint64(at + 32, this.#oneOf(BIG_INTEGERS), true);
      view.setUint16(at + 40, this.#number(4), true);
    }
  }

  #pair(usual: readonly [number, number]): [number, number] {
    return this.#number(10) < 8 ? [...usual] : [this.#pointer(), this.#length()];
  }

  #valueOf(kind: ParameterKind | ResultKind): Param | Param[] {
    switch (kind) {
      case "path":
        return this.#pair(this.#oneOf(this.#texts));
      case "data":
        return this.#pair([VECTORS + 8 * this.#number(8), this.#number(8)]);
      case "buffer":
        return this.#pair([57_344, this.#length()]);
      case "subscriptions":
        return this.#number(10) < 8 ? SUBSCRIPTIONS : this.#pointer();
      case "pointer":
        return this.#pointer();
      case "fd":
        return this.#oneOf([3, 3, 3, 3, 4, 5, 5, 5, 5, this.#number(10), this.#number(10), this.#oneOf(INTEGERS)]);
      case "u64":
      case "s64":
        return this.#oneOf(BIG_INTEGERS);
      case "rights":
        return this.#oneOf(SETS_OF_RIGHTS);
      case "lookupflags":
        return this.#oneOf([0, 1, 1, this.#oneOf(INTEGERS)]);
      case "oflags":
      case "fdflags":
        return this.#oneOf([0, 0, 1, this.#number(16), this.#oneOf(INTEGERS)]);
      default:
        return this.#number(10) < 8 ? this.#number(4) : this.#oneOf(INTEGERS);
    }
  }
}
