/** Real programs, run on every backend that this runtime has. */

import { readFileSync } from "node:fs";
import { it } from "node:test";
import { backends, compile, instantiate } from "stackful";
import type { GuestModule, Instance } from "stackful";
import { TextOutput, WASI } from "stackful/wasi";
import type { WasiOptions } from "stackful/wasi";

export type Backend = "jspi" | "transform";

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

const modules = new Map<string, Promise<GuestModule>>();

/** Compiled once, however often it runs. */
export function program(name: string, backend: Backend): Promise<GuestModule> {
  const key = `${name} ${backend}`;
  const file = new URL(`../guests/${name}.wasm`, import.meta.url);
  if (!modules.has(key)) modules.set(key, compile(readFileSync(file), { backend }));
  return modules.get(key)!;
}

/** A program that was made and not started yet. */
export class TestProgram {
  readonly output: TextOutput = new TextOutput();
  readonly wasi: WASI;
  readonly instance: Instance;

  private constructor(wasi: WASI, output: TextOutput, instance: Instance) {
    this.wasi = wasi;
    this.output = output;
    this.instance = instance;
  }

  static async make(
    name: string,
    backend: Backend,
    args: readonly string[],
    options: WasiOptions = {},
  ): Promise<TestProgram> {
    const output = new TextOutput();
    const wasi = new WASI({ stdin: "ignore", stdout: output, stderr: "inherit", ...options, args: [name, ...args] });
    const instance = await instantiate(await program(name, backend), wasi.imports(), { backend });
    return new TestProgram(wasi, output, instance);
  }

  /** @returns its exit code */
  start(options: RunOptions = {}): Promise<number> {
    return this.wasi.start(this.instance, { timeoutMs: 20_000, ...options });
  }
}

/** Why a backend cannot be had here; `false`: it can. */
function reasonAgainst(backend: Backend): string | false {
  return backends().find(({ name }) => name === backend)?.reason ?? false;
}

/** One test for each backend. */
export function onBackends(title: string, test: (backend: Backend) => Promise<void>): void {
  for (const backend of ["jspi", "transform"] as const) {
    it(`${title} (${backend})`, { skip: reasonAgainst(backend) }, () => test(backend));
  }
}
