/** Programs in C that include stackful.h, run on every backend that this runtime has. */

import { readFileSync } from "node:fs";
import { compile, instantiate } from "stackful";
import type { GuestModule, Instance } from "stackful";
import { GuestTasks } from "stackful/guest-tasks";
import type { GuestTasksOptions } from "stackful/guest-tasks";
import { TextOutput, WASI } from "stackful/wasi";
import type { WasiOptions } from "stackful/wasi";
import type { Backend } from "../wasi/programs.ts";

export { onBackends } from "../wasi/programs.ts";
export type { Backend } from "../wasi/programs.ts";

const modules = new Map<string, Promise<GuestModule>>();

/** Compiled once, however often it runs. `name`: of an example, or of a guest of the tests. */
function moduleOf(name: string, backend: Backend): Promise<GuestModule> {
  const key = `${name} ${backend}`;
  const isGuest = name.startsWith("tasks-") || name.startsWith("threads/");
  const file = isGuest ? new URL(`../guests/${name}.wasm`, import.meta.url) : `examples/c/${name}.wasm`;
  if (!modules.has(key)) modules.set(key, compile(readFileSync(file), { backend }));
  return modules.get(key)!;
}

export interface ProgramOptions {
  readonly wasi?: WasiOptions;
  readonly tasks?: GuestTasks | GuestTasksOptions;
  readonly signal?: AbortSignal;
}

/** A program that was made and not started yet. */
export class TaskProgram {
  readonly output: TextOutput = new TextOutput();
  readonly instance: Instance;
  readonly tasks: GuestTasks;
  readonly #wasi: WASI;
  readonly #signal: AbortSignal | undefined;

  static async make(
    name: string,
    backend: Backend,
    args: readonly string[] = [],
    { wasi = {}, tasks = {}, signal }: ProgramOptions = {},
  ): Promise<TaskProgram> {
    const output = new TextOutput();
    const world = new WASI({ stdin: "ignore", stdout: output, stderr: "inherit", ...wasi, args: [name, ...args] });
    const made = tasks instanceof GuestTasks ? tasks : new GuestTasks(tasks);
    const imports = { ...world.imports(), ...made.imports() };
    const instance = await instantiate(await moduleOf(name, backend), imports, { backend });
    return new TaskProgram({ instance, tasks: made, wasi: world, output, signal });
  }

  private constructor(parts: {
    readonly instance: Instance;
    readonly tasks: GuestTasks;
    readonly wasi: WASI;
    readonly output: TextOutput;
    readonly signal: AbortSignal | undefined;
  }) {
    this.instance = parts.instance;
    this.tasks = parts.tasks;
    this.#wasi = parts.wasi;
    this.output = parts.output;
    this.#signal = parts.signal;
  }

  /** @returns its exit code */
  start(): Promise<number> {
    return this.tasks.run((options) => this.#wasi.start(this.instance, options), { signal: this.#signal });
  }
}
