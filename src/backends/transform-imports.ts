/**
 * The host functions of a guest on backend `transform`.
 *
 * A ready answer passes one comparison. For any other the guest's frames are saved, which only works if nothing but the guest's
 * code lies between its entry and this call: JavaScript frames in between, and entries that have to return at once, are refused.
 */

import { SuspendError } from "../coroutine/errors.ts";
import { Suspension } from "../coroutine/suspend.ts";
import { activationOf } from "../link/activation.ts";
import { conversionCheck } from "../link/conversion.ts";
import type { Check } from "../link/conversion.ts";
import { ignore, isPending } from "../link/import-side.ts";
import { Pause } from "../link/pause.ts";
import { AWAITED, CURRENT, FLAGS, GUEST, SYNCHRONOUS, readWord, words, writeWord } from "../link/switchboard.ts";
import type { HostFunction } from "../transform/wrap-import.ts";
import { countedCallFor } from "./counted-calls.ts";
import type { HostDepth } from "./counted-calls.ts";

/** One imported function that may suspend. */
export interface SuspendableImport {
  readonly module: string;
  readonly name: string;
  readonly params: readonly string[];
  readonly results: readonly string[];
  readonly host: HostFunction;
}

/** What is on the native stack: host functions of all guests above the innermost entry into one, and whose entry that is. */
const nativeStack: HostDepth & { guest: SuspendableImports | undefined } = { depth: 0, guest: undefined };

/** What the native stack was when a guest was entered. */
export interface BelowEntry {
  readonly depth: number;
  readonly guest: SuspendableImports | undefined;
}

export class SuspendableImports {
  readonly #imports: readonly SuspendableImport[];
  readonly #checks: readonly (Check | undefined)[];
  /** Block of the guest in the switchboard. Set when it has one. */
  guest = 0;

  constructor(imports: readonly SuspendableImport[]) {
    this.#imports = imports;
    this.#checks = imports.map(conversionCheck);
  }

  /** `module.name` of each import. */
  get names(): readonly string[] {
    return this.#imports.map(({ module, name }) => `${module}.${name}`);
  }

  /** The position of an import. */
  position({ module, name }: { readonly module: string; readonly name: string }): number {
    return this.#imports.findIndex((entry) => entry.module === module && entry.name === name);
  }

  /**
   * What the import at `position` returns, of its answer. (What is still no value of its type, the engine says when it is resumed.)
   *
   * @throws {TypeError} when it does not convert
   */
  checked(position: number, answer: unknown): unknown {
    const check = this.#checks[position];
    return check === undefined ? answer : check(answer);
  }

  /** Whether the answer of the import at `position` is a list of results. */
  isList(position: number): boolean {
    return this.#imports[position]!.results.length > 1;
  }

  /** The function for the import at `position`; `suspend` saves the stack and returns what the function has to return. */
  wrap(position: number, suspend: (answer: unknown) => unknown): HostFunction {
    const { host, params, results } = this.#imports[position]!;
    const check = this.#checks[position];
    return countedCallFor(results)(host, params.length, nativeStack, (answer) => {
      if (!isPending(answer)) return check === undefined ? answer : check(answer);
      // Below a frame that cannot be left it just goes on.
      if (answer instanceof Pause && !this.#isAlone) return undefined;
      writeWord(this.#requireSuspendable(position, answer), AWAITED, position + 1);
      return suspend(answer);
    });
  }

  /** To be called before the guest is entered; what it returns has to be given to {@link SuspendableImports.left} afterwards. */
  entered(): BelowEntry {
    const below = { depth: nativeStack.depth, guest: nativeStack.guest };
    nativeStack.depth = 0;
    nativeStack.guest = this;
    return below;
  }

  left({ depth, guest }: BelowEntry): void {
    nativeStack.depth = depth;
    nativeStack.guest = guest;
  }

  /**
   * Whether nothing but code of this guest is on the native stack since it was entered: neither a host function, nor another guest
   * that was called through a table and has called back.
   */
  get #isAlone(): boolean {
    return nativeStack.depth === 0 && nativeStack.guest === this;
  }

  /** The record of the activation that suspends. */
  #requireSuspendable(position: number, answer: PromiseLike<unknown> | Suspension): number {
    const record = words[CURRENT >> 2]!;
    const { module, name } = this.#imports[position]!;
    if ((readWord(record, FLAGS) & SYNCHRONOUS) !== 0 || isHeldBack(record, answer)) {
      ignore(answer);
      throw new SuspendError(
        "sync-call",
        `Cannot suspend in import ${module}.${name}: its host function has the guest wait, but the guest was entered ` +
          "synchronously; call it through instance.exports or instance.function(), or use resumeAsync()",
      );
    }
    if (readWord(record, GUEST) !== this.guest || !this.#isAlone) {
      ignore(answer);
      throw new SuspendError(
        "javascript-frame",
        `Cannot suspend in import ${module}.${name}: a JavaScript function, or another guest, stands between the guest's ` +
          "frames; let it return before the guest waits, or call the guest back through instance.exports",
      );
    }
    return record;
  }
}

const asNumber = new Float64Array(1);
const asBigint = new BigInt64Array(1);

/** The arguments for parameters of these types, as the JavaScript API converts them. @throws {TypeError} when one does not convert */
export function convertedArguments(params: readonly string[], args: readonly unknown[]): readonly unknown[] {
  return params.map((type, position) => converted(type, args[position]));
}

/** A number or bigint for a numeric type, by the conversions of the language; anything else as it is. */
function converted(type: string, value: unknown): unknown {
  if (type === "i32" || type === "f64" || type === "f32") {
    return typeof value === "number" ? value : element(asNumber, value);
  }
  if (type === "i64") return typeof value === "bigint" ? value : element(asBigint, value);
  return value;
}

/** What `value` becomes as an element of `array`, of which the language says how it is converted. */
function element(array: Float64Array | BigInt64Array, value: unknown): unknown {
  // The assignment converts, or throws; TypeScript only knows of values that need no conversion.
  array[0] = value as never;
  return array[0];
}

/** Whether whoever has resumed this activation waits on the native stack for the next suspension of its coroutine, and of no other. */
function isHeldBack(record: number, answer: PromiseLike<unknown> | Suspension): boolean {
  const activation = activationOf(record);
  if (activation?.isResumedSynchronously !== true) return false;
  return !(answer instanceof Suspension && (answer.coroutine ?? activation.coroutine) === activation.coroutine);
}
