/** A program that `stackful run` was given: compiled once, started as often as one likes. */

import path from "node:path";
import { ATOMICS_MODULE } from "../atomics/waiting-functions.ts";
import type { BinaryModule, Import } from "../binary/module.ts";
import { BackendUnavailableError } from "../coroutine/errors.ts";
import { compile, instantiate } from "../instantiate.ts";
import { GuestTasks } from "../guest-tasks/guest-tasks.ts";
import type { GuestModule } from "../link/guest-module.ts";
import type { GuestImport } from "../link/imports.ts";
import type { Instance } from "../link/instance.ts";
import type { CallOptions } from "../link/linked-guest.ts";
import { moduleCache } from "../transform/module-cache.ts";
import { isPackaged } from "../transform/packaged-module.ts";
import { TransformError } from "../transform/refusal.ts";
import { PREVIEW_1, UNSTABLE } from "../wasi/preview1/snapshot.ts";
import { SYSCALLS } from "../wasi/preview1/syscall-table.ts";
import { WasiExit } from "../wasi/exit.ts";
import { WASI } from "../wasi/wasi.ts";
import type { WasiOptions } from "../wasi/wasi-options.ts";
import { cacheDirectory } from "./cache-directory.ts";
import { CommandError } from "./command.ts";
import { argumentsFor, resultText } from "./invoke.ts";
import { refuseOthers } from "./module-file.ts";
import { WASI_COMMAND, WASI_REACTOR, kindOf } from "./module-kind.ts";
import type { RunOptions } from "./run-options.ts";

const TASKS_MODULE = "stackful";
const WASI_MODULES: readonly string[] = [PREVIEW_1.module, UNSTABLE.module];

export class Program {
  /** What it is called in its own arguments. */
  readonly name: string;
  readonly module: GuestModule;
  /** Whether it gives way while it computes. What was transformed ahead of time is not counted, and does not. */
  readonly isInterruptible: boolean;
  readonly #options: RunOptions;

  /** @throws {CommandError} when it cannot be run, here or at all */
  static async compile(file: string, bytes: Uint8Array<ArrayBuffer>, options: RunOptions): Promise<Program> {
    refuseOthers("run", file, bytes);
    try {
      const module = await compile(bytes, compileOptions(bytes, options));
      requireOnlyWasi(file, module);
      if (options.invoke === undefined) requireStart(file, module);
      return new Program(file, module, { ...options, isInterruptible: options.isInterruptible && !isPackaged(bytes) });
    } catch (error) {
      throw asCommandError(error, file, options);
    }
  }

  private constructor(file: string, module: GuestModule, options: RunOptions) {
    this.name = file === "-" ? "program" : path.basename(file);
    this.module = module;
    this.isInterruptible = options.isInterruptible;
    this.#options = options;
  }

  /**
   * @param words its arguments, without its name
   * @returns its exit code
   * @throws whatever it ends with instead, and `signal.reason`
   */
  async run(world: WasiOptions, words: readonly string[], signal: AbortSignal): Promise<number> {
    const { invoke } = this.#options;
    const args = invoke === undefined ? undefined : argumentsFor(this.module, invoke, words);
    const wasi = this.#makeWasi({ ...world, args: [this.name, ...(invoke === undefined ? words : [])] });
    const tasks = usesTasks(this.module) ? new GuestTasks() : undefined;
    const instance = await this.#instantiate({ ...wasi.imports(), ...tasks?.imports() });
    signal.throwIfAborted();
    const start = async (options: CallOptions): Promise<number> => {
      if (invoke === undefined || args === undefined) return wasi.start(instance, options);
      await wasi.initialize(instance, options);
      process.stdout.write(resultText(this.module, invoke, await instance.function(invoke).call(args, options)));
      return 0;
    };
    try {
      return await (tasks === undefined ? start({ signal }) : tasks.run(start, { signal }));
    } catch (error) {
      if (error instanceof WasiExit) return error.code;
      throw error;
    } finally {
      await wasi.close();
    }
  }

  /** @throws {CommandError} when the options do not fit each other, or a directory has gone */
  #makeWasi(world: WasiOptions): WASI {
    try {
      return new WASI(world);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const message = error.message.replace("Cannot make WASI: ", "").replace("maxOpenFiles", "--max-open-files");
      throw new CommandError(`cannot run '${this.name}': ${message}`, undefined, { cause: error });
    }
  }

  async #instantiate(imports: object): Promise<Instance> {
    const { backend, taskStackBytes: bytes } = this.#options;
    return instantiate(this.module, imports, { backend, stacks: { bytes } });
  }
}

function compileOptions(bytes: Uint8Array, options: RunOptions): Parameters<typeof compile>[1] {
  const { backend, fuel, maxMemoryBytes, isCached } = options;
  const interruptible = fuel === undefined ? options.isInterruptible : { fuel };
  return {
    backend,
    // What was transformed ahead of time is not counted.
    ...(!isPackaged(bytes) || fuel !== undefined ? { interruptible } : {}),
    maxMemoryBytes,
    // Where nothing can be kept, nothing is: that is not worth a word.
    ...(isCached && { cache: moduleCache({ directory: cacheDirectory(), onError: () => {} }) }),
  };
}

function requireStart(file: string, module: GuestModule): void {
  const functions = module.exports.filter(({ kind }) => kind === "function").map(({ name }) => name);
  if (functions.includes("_start")) return;
  // That one is called before any other.
  const callable = functions.filter((name) => name !== "_initialize").slice(0, 10);
  const tip =
    callable.length === 0 ? undefined : `call one of its functions with '--invoke <function>': ${callable.join(", ")}`;
  throw new CommandError(`cannot run '${file}': it is no program, since it exports no function '_start'`, tip);
}

/** Whether this command has it to offer, or the library itself. */
function isOffered(
  { module, name, kind, ...entry }: Import | GuestImport,
  original: BinaryModule | undefined,
): boolean {
  if (module === TASKS_MODULE) return name in new GuestTasks().imports()[TASKS_MODULE];
  if (module === ATOMICS_MODULE) return true;
  if (kind === "memory") return "index" in entry && original?.memories[entry.index]?.shared === true;
  return WASI_MODULES.includes(module) ? name in SYSCALLS : module === "wasi" && name === "thread-spawn";
}

/** Whether it includes `stackful.h`. */
function usesTasks(module: GuestModule): boolean {
  return module.imports.some((entry) => entry.module === TASKS_MODULE);
}

/** What a host has to offer that knows the program is nothing for this command. */
function requireOnlyWasi(file: string, module: GuestModule): void {
  const { original } = module.prepared ?? {};
  // Not those of the guest as it is counted.
  const imports: readonly (Import | GuestImport)[] = original?.imports ?? module.imports;
  const foreign = imports.filter((entry) => !isOffered(entry, original));
  const [first] = foreign;
  if (first === undefined) return;
  const more = foreign.length === 1 ? "" : ` and ${foreign.length - 1} more`;
  const kind = original && kindOf(original);
  const isForeign = kind !== undefined && kind.name !== WASI_COMMAND && kind.name !== WASI_REACTOR;
  const own = "a program of yours can offer it, with instantiate() of this library";
  throw new CommandError(
    `cannot run '${file}': it imports ${first.module}.${first.name}${more}, not a part of WASI preview 1`,
    isForeign ? (kind.use ?? own) : undefined,
  );
}

function asCommandError(error: unknown, file: string, { isInterruptible, fuel }: RunOptions): unknown {
  if (error instanceof CommandError) return error;
  if (error instanceof BackendUnavailableError) {
    const reasons = error.tried.map(({ backend, reason }) => `${backend}: ${reason}`).join("; ");
    return new CommandError(`cannot run '${file}': ${reasons}`, "'stackful backends' shows what this runtime has");
  }
  const isExpected =
    error instanceof WebAssembly.CompileError ||
    error instanceof WebAssembly.LinkError ||
    error instanceof TransformError ||
    // Options that do not fit the module.
    error instanceof RangeError ||
    error instanceof TypeError;
  if (!isExpected) return error;
  const message = error.message.replace("maxMemoryBytes", "--max-memory");
  const isTooMuch = error instanceof TransformError && isInterruptible && fuel === undefined;
  const tip = isTooMuch ? "with '--no-interrupt' less of it has to be changed" : undefined;
  return new CommandError(`cannot run '${file}': ${message}`, tip, { cause: error });
}
