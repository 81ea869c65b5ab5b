/** One run of a script in Lua: what it has to do, and what has become of it. */

import type { ScriptRun } from "../script-run.ts";

export class LuaActivity {
  readonly run: ScriptRun;
  #begin: ((L: number, activity: LuaActivity) => number) | undefined;
  /** Its value, when it has ended well. */
  value: unknown;
  /** What it throws, when it has not. */
  failure: { readonly error: unknown } | undefined;

  /** What was wrong with what the host has given it: that is no error of the script. */
  refusal: { readonly error: unknown } | undefined;
  /** Whether what it throws is that it could not be compiled. */
  isSyntaxError = false;

  constructor(run: ScriptRun, begin: (L: number, activity: LuaActivity) => number) {
    this.run = run;
    this.#begin = begin;
  }

  /** Pushes what to call, and gives the number of arguments, or pushes an error and gives THROW. To be done once: scripts could get hold of what asks for it. */
  begin(L: number): number {
    const begin = this.#begin;
    if (begin === undefined) throw new TypeError("Cannot begin script: it has begun");
    this.#begin = undefined;
    return begin(L, this);
  }
}
