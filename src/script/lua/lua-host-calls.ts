/**
 * What Lua asks its host: the imports that guest-edit.ts adds. Where the host waits, so does the script.
 *
 * A script that is stopped ends by an exception that Lua does not know: `pcall` catches jumps of its own only. It may have left a finalizer,
 * during which Lua collects no garbage, so what says that is set back.
 */

import type { HostObjects } from "./host-objects.ts";
import type { HostImports } from "../../link/imports.ts";
import { ScriptError } from "../script-errors.ts";
import type { ScriptErrorParts } from "../script-errors.ts";
import type { RuntimeOptions } from "../language.ts";
import { isThenable } from "../../threads/answerer.ts";
import { STOPPED } from "../script-run.ts";
import type { ScriptRun } from "../script-run.ts";
import type { LuaActivity } from "./lua-activity.ts";
import { FINISH, OPERATIONS_PER_TICK, THROW } from "./lua-functions.ts";
import { RUN, STOPPED_BY_FINALIZER, TYPE } from "./lua-layout.ts";
import { isLuaError } from "./lua-state.ts";
import type { LuaState } from "./lua-state.ts";
import type { ValuePusher } from "./push-value.ts";
import type { ValueReader } from "./read-value.ts";

/** Thrown to end a script that was stopped. */
const ENDING = new Error("Script was stopped");

/** What a host function has answered after the script had to wait. */
type Answer = { readonly value: unknown } | { readonly error: unknown };

export interface LuaParts {
  readonly state: LuaState;
  readonly reader: ValueReader;
  readonly pusher: ValuePusher;
  readonly objects: HostObjects;
}

export class LuaHostCalls {
  readonly #functions: RuntimeOptions["functions"];
  #parts: LuaParts | undefined;
  /** By the numbers that their threads have in the extra word; 0 is nobody. */
  readonly #activities: (LuaActivity | undefined)[] = [undefined];
  readonly #freeNumbers: number[] = [];
  /** Thread of Lua → what it has waited for. */
  readonly #answers = new Map<number, Answer>();
  /** Whose finalizer runs, as far as that was noticed: one at a time. */
  #finalizing: LuaActivity | undefined;
  /** What has ended a script where nothing of Lua could be put in order. */
  broken: { readonly error: unknown } | undefined;

  constructor(functions: RuntimeOptions["functions"]) {
    this.#functions = functions;
  }

  attach(parts: LuaParts): void {
    this.#parts = parts;
  }

  /** The imports of the guest. */
  get imports(): Omit<HostImports[string], "inside"> {
    return {
      call: this.#call,
      finish: this.#finish,
      tick: this.#tick,
      begin: this.#begin,
      end: this.#end,
      failed: this.#failed,
      dropped: (address: number) => this.#parts?.objects.drop(address),
    };
  }

  /** Its thread says from now on, as all that it resumes, whose it is. */
  enter(activity: LuaActivity, thread: number): number {
    const number = this.#freeNumbers.pop() ?? this.#activities.length;
    this.#activities[number] = activity;
    this.#state.memory.setWord(thread - RUN, number);
    return number;
  }

  /** It has ended. */
  leave(number: number): void {
    this.#activities[number] = undefined;
    this.#freeNumbers.push(number);
  }

  /** Puts in order what a script has left that did not end by itself. */
  repair(activity: LuaActivity): void {
    this.#notice(activity);
    if (this.#finalizing !== activity) return;
    this.#state.collectorStops &= ~STOPPED_BY_FINALIZER;
    this.#finalizing = undefined;
  }

  /** Nothing is known of what Lua was doing: no script can be run any more. */
  break(cause: unknown): void {
    this.broken ??= {
      error: new Error("Cannot run script: an earlier one has left Lua in the middle of something", { cause }),
    };
  }

  get #state(): LuaState {
    return this.#parts!.state;
  }

  #activityOf(L: number): LuaActivity | undefined {
    return this.#activities[this.#state.memory.word(L - RUN)];
  }

  /** Only code of this activity has run since another one was asked for the last time. */
  #notice(activity: LuaActivity): void {
    if ((this.#state.collectorStops & STOPPED_BY_FINALIZER) === 0) this.#finalizing = undefined;
    else this.#finalizing ??= activity;
  }

  #requireGoing(run: ScriptRun): void {
    if (this.broken !== undefined) throw this.broken.error;
    if (run.isStopped) throw ENDING;
  }

  /** A script calls a function of the host. Gives the number of results, THROW, or FINISH when the results are to be pushed now. */
  readonly #call = (L: number, address: number): number | Promise<number> => {
    const activity = this.#activityOf(L);
    const object = this.#parts!.objects.at(address);
    if (activity === undefined || object === undefined || !("callee" in object)) return this.#throw(L, noFunction());
    this.#notice(activity);
    this.#requireGoing(activity.run);
    let args: readonly unknown[];
    try {
      args = this.#state.withoutCollector(() => this.#parts!.reader.readAll(L, 1));
    } catch (error) {
      return this.#throw(L, error);
    }
    let answer: unknown;
    try {
      answer = this.#functions.callHost(object.callee, args, activity.run);
      if (isThenable(answer)) {
        if (!this.#state.isCalled) return this.#wait(L, activity.run, answer);
        // Nobody is going to look at it.
        answer.then(undefined, () => {});
        throw new TypeError("Cannot wait for a function of the host here: the host is reading a value of the script");
      }
    } catch (error) {
      this.#requireGoing(activity.run);
      return this.#throwHostError(L, error);
    }
    this.#requireGoing(activity.run);
    return this.#give(L, answer);
  };

  async #wait(L: number, run: ScriptRun, promise: PromiseLike<unknown>): Promise<number> {
    try {
      const value = await run.waitFor(promise);
      if (value === STOPPED) throw ENDING;
      this.#answers.set(L, { value });
    } catch (error) {
      this.#requireGoing(run);
      this.#answers.set(L, { error });
    }
    this.#requireGoing(run);
    return FINISH;
  }

  /** The script goes on after it had to wait. */
  readonly #finish = (L: number): number => {
    const answer = this.#answers.get(L)!;
    this.#answers.delete(L);
    return "error" in answer ? this.#throwHostError(L, answer.error) : this.#give(L, answer.value);
  };

  #give(L: number, value: unknown): number {
    if (value === undefined) return 0;
    try {
      this.#state.withoutCollector(() => this.#parts!.pusher.push(L, value));
      return 1;
    } catch (error) {
      return this.#throw(L, error);
    }
  }

  /** Has Lua throw what JavaScript has, unless Lua has thrown that itself. */
  #throw(L: number, error: unknown): number {
    if (isLuaError(error)) throw error;
    return this.#throwHostError(L, error);
  }

  /** Pushes an error that Lua is to throw. One of another WebAssembly module is an object like others. */
  #throwHostError(L: number, error: unknown): number {
    const { pusher } = this.#parts!;
    this.#state.withoutCollector(() => {
      if (typeof error === "object" && error !== null) pusher.pushError(L, error);
      else pusher.push(L, isPlain(error) ? error : String(error));
    });
    return THROW;
  }

  readonly #tick = (L: number, operations: number): Promise<void> | undefined => {
    const activity = this.#activityOf(L);
    if (activity === undefined) return undefined;
    return this.#ask(activity, operations);
  };

  /** Whether the script may go on: it is ended, or waits, if it may not. */
  #ask(activity: LuaActivity, operations: number): Promise<void> | undefined {
    const { run } = activity;
    this.#notice(activity);
    const pause = run.tick(operations, !this.#state.isCalled);
    this.#requireGoing(run);
    return pause?.then(() => this.#requireGoing(run));
  }

  readonly #begin = (L: number): number => {
    try {
      const activity = this.#activityOf(L);
      if (activity === undefined) throw noFunction();
      return this.#state.withoutCollector(() => activity.begin(L));
    } catch (error) {
      return this.#throw(L, error);
    }
  };

  readonly #end = (L: number): unknown => {
    const activity = this.#activityOf(L);
    if (activity === undefined) return undefined;
    try {
      const results = this.#state.withoutCollector(() => this.#parts!.reader.readAll(L, 1));
      activity.value = results.length > 1 ? results : results[0];
    } catch (error) {
      if (isLuaError(error)) throw error;
      activity.failure = { error };
    }
    return this.#charge(activity);
  };

  /** The operations since the last tick. */
  #charge(activity: LuaActivity): Promise<void> | undefined {
    return this.#ask(activity, OPERATIONS_PER_TICK - this.#state.api.script_operations_left.value);
  }

  /** The error is at index 1, as text at index 2. It may be replaced by another on the way out; the last one counts. */
  readonly #failed = (L: number): unknown => {
    const activity = this.#activityOf(L);
    // Where there is no room any more, looking at an error is one.
    if (activity === undefined || this.#state.isCalled) return undefined;
    this.#state.withoutCollector(() => {
      const parts = this.#errorParts(L, activity);
      let scriptStack = "";
      try {
        scriptStack = this.#stackOf(L);
      } finally {
        activity.failure = { error: new ScriptError(this.#text(L, 2), { ...parts, scriptStack }) };
      }
    });
    return this.#charge(activity);
  };

  #text(L: number, index: number): string {
    const { api, memory } = this.#state;
    return memory.readText(api.lua_tolstring(L, index, 0), api.script_length(L, index));
  }

  #stackOf(L: number): string {
    this.#state.api.luaL_traceback(L, L, 0, 1);
    return this.#text(L, -1);
  }

  #errorParts(L: number, { isSyntaxError }: LuaActivity): ScriptErrorParts {
    const { reader, objects, state } = this.#parts!;
    const { api } = state;
    const isUserdata = api.lua_type(L, 1) === TYPE.userdata;
    const object = isUserdata ? objects.at(api.lua_touserdata(L, 1)) : undefined;
    if (object !== undefined && "error" in object) {
      const { name } = object.error as { readonly name?: unknown };
      return { scriptName: typeof name === "string" ? name : "Error", cause: object.error };
    }
    const scriptName = isSyntaxError ? "SyntaxError" : undefined;
    return { scriptName, value: readOr(() => reader.read(L, 1), this.#text(L, 2)) };
  }
}

/** A value that cannot cross is told by its text. */
function readOr(read: () => unknown, instead: string): unknown {
  try {
    return read();
  } catch (error) {
    if (isLuaError(error)) throw error;
    return instead;
  }
}

/** Whether it can be a value of Lua as it is. */
function isPlain(value: unknown): boolean {
  return ["undefined", "boolean", "number", "string"].includes(typeof value);
}

function noFunction(): TypeError {
  return new TypeError("Cannot call this function here: it is none of a script");
}
