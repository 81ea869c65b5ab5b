/** What Ruby exports and imports, as far as it is used here. Its names are those of an older component model. */

import type { GuestModule } from "../../link/guest-module.ts";
import type { Instance } from "../../link/instance.ts";
import type { CallOptions } from "../../link/linked-guest.ts";

const INITIALIZE = "ruby-init: func(args: list<string>) -> ()";
const EVALUATE = "rb-eval-string-protect: func(str: string) -> tuple<handle<rb-abi-value>, s32>";
const ENCODER = new TextEncoder();
const WORD = 4;
/** `rb-eval-string-protect` answers with a pointer to a handle and this, which is 0 if the script has come to its end. */
const RESULT_STATE = 4;

/** Imports that are for JavaScript which calls Ruby, and gets handles of its values: nobody does. */
export function rubyImports(module: GuestModule, wasi: object): Record<string, unknown> {
  const bridge: Record<string, Record<string, unknown>> = {};
  for (const { module: from, name } of module.imports) {
    if (from in wasi) continue;
    const functions = (bridge[from] ??= {});
    functions[name] = name.startsWith("resource_") ? sameHandle : noBridge;
  }
  return { ...wasi, ...bridge };
}

function sameHandle(handle: number): number {
  return handle;
}

function noBridge(): never {
  throw new Error("Scripts have no module js: call functions that the host has registered");
}

export class RubyCalls {
  readonly #instance: Instance;
  readonly #options: CallOptions;

  constructor(instance: Instance, options: CallOptions) {
    this.#instance = instance;
    this.#options = options;
  }

  async initialize(args: readonly string[]): Promise<void> {
    const texts: number[] = [];
    // The C strings that they become end with a zero.
    for (const text of args) texts.push(...(await this.#text(`${text}\0`)));
    const list = await this.#allocate(WORD * texts.length, WORD);
    new Uint32Array(this.#buffer, list, texts.length).set(texts);
    await this.#call(INITIALIZE, list, args.length);
  }

  /** @returns how it has ended, 0 if by coming to its end */
  async evaluate(source: string): Promise<number> {
    const result = await this.#call(EVALUATE, ...(await this.#text(source)));
    return new DataView(this.#buffer).getInt32(result + RESULT_STATE, true);
  }

  get #buffer(): ArrayBuffer {
    return this.#instance.memory!.buffer;
  }

  async #text(text: string): Promise<[pointer: number, length: number]> {
    const bytes = ENCODER.encode(text);
    const pointer = await this.#allocate(bytes.length, 1);
    new Uint8Array(this.#buffer, pointer, bytes.length).set(bytes);
    return [pointer, bytes.length];
  }

  #allocate(bytes: number, alignment: number): Promise<number> {
    return this.#call("cabi_realloc", 0, 0, alignment, bytes);
  }

  #call(name: string, ...args: readonly number[]): Promise<number> {
    return this.#instance.function<readonly number[], number>(name).call(args, this.#options);
  }
}
