/**
 * Runs the JavaScript that a package brings for its program, with some globals replaced: `WebAssembly` by one that loads the
 * program in the form that is to be tested, clocks and random numbers by ones that are the same in each run.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { DrivenTable } from "./driven-table.ts";
import type { Load } from "./guest.ts";
import { installed } from "./program.ts";

const NOW_MS = 1_700_000_000_000;

/** Evaluates a CommonJS file in which `globals` have other values than in this module. Returns what it exports. */
export function evaluate(file: string, globals: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const absolute = installed(file);
  const module: { exports: Record<string, unknown> } = { exports: {} };
  const names = { module, exports: module.exports, __filename: absolute, __dirname: path.dirname(absolute) };
  const parameters = { require: createRequire(absolute), ...names, ...globals };
  // A function of its own, because the file may declare what is given to it.
  const code = `(function () { ${readFileSync(absolute, "utf8")}\n})();`;
  // oxlint-disable-next-line typescript/no-implied-eval -- the code is that of a pinned package
  new Function(...Object.keys(parameters), code)(...Object.values(parameters));
  return module.exports;
}

/** Globals that give the same answers in each run. */
export function steadyGlobals(): Record<string, unknown> & { readonly crypto: unknown } {
  class SteadyDate extends Date {
    constructor(...given: readonly unknown[]) {
      super(...((given.length > 0 ? given : [NOW_MS]) as [number]));
    }

    static override now(): number {
      return NOW_MS;
    }
  }
  let readings = 0;
  let random = 1;
  const nextByte = (): number => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) | 0;
    return (random >>> 16) & 255;
  };
  const fillWithRandom = (bytes: Uint8Array): Uint8Array => {
    for (let index = 0; index < bytes.length; index++) bytes[index] = nextByte();
    return bytes;
  };
  return {
    Date: SteadyDate,
    performance: { now: () => readings++ / 1000, timeOrigin: NOW_MS },
    Math: Object.create(Math, { random: { value: () => nextByte() / 256 } }),
    crypto: { getRandomValues: fillWithRandom, randomFillSync: fillWithRandom },
  };
}

/** A `WebAssembly` that makes an instance with `load` when it is given a module of a program. */
export function substituteWebAssembly(load: Load): unknown {
  const make = (module: WebAssembly.Module, imports: WebAssembly.Imports): WebAssembly.Instance =>
    // Emscripten makes functions for tables with modules that have one export.
    WebAssembly.Module.exports(module).length > 1 ? load(imports) : new WebAssembly.Instance(module, imports);
  function Instance(module: WebAssembly.Module, imports: WebAssembly.Imports): WebAssembly.Instance {
    return make(module, imports);
  }
  const instantiate = async (bytes: BufferSource, imports: WebAssembly.Imports): Promise<unknown> => {
    const module = new WebAssembly.Module(bytes);
    return { module, instance: make(module, imports) };
  };
  function Table(type: WebAssembly.TableDescriptor): DrivenTable {
    return new DrivenTable(new WebAssembly.Table(type));
  }
  return Object.create(WebAssembly, {
    Table: { value: Table },
    Instance: { value: Instance },
    instantiate: { value: instantiate },
  });
}
