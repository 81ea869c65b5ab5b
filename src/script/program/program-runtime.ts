/** An interpreter that is a WASI program as a `ScriptRuntime`. */

import { HostReferences } from "../host-references.ts";
import type { FunctionReference, HostFunction, RuntimeOptions, ScriptRuntime, SourceOptions } from "../language.ts";
import { STOPPED } from "../script-run.ts";
import type { ScriptRun } from "../script-run.ts";
import { encodeWire } from "../wire.ts";
import type { WireTarget } from "../wire.ts";
import { Conversation } from "./conversation.ts";
import { ORDERS, encodeFrame } from "./frame.ts";
import { Orders } from "./orders.ts";
import type { ScriptProgram } from "./script-program.ts";
import type { Strand } from "./strand.ts";

/**
 * How often it is looked whether a script has ended that was stopped: a second, and more where this thread has hardly a processor, which the
 * script then has not either.
 */
const GRACE_LOOKS = 100;
const LOOK_MS = 10;

export class ProgramRuntime implements ScriptRuntime {
  readonly #name: string;
  readonly #program: ScriptProgram;
  readonly #options: RuntimeOptions;
  readonly #target: WireTarget;
  readonly #orders: Orders;
  readonly #conversations = new Set<Conversation>();
  /** Why nothing runs any more. */
  #end: { readonly reason: unknown } | undefined;

  /** `references`: those that the program gives back. */
  constructor(name: string, parts: { program: ScriptProgram; options: RuntimeOptions; references: HostReferences }) {
    const { program, options, references } = parts;
    this.#name = name;
    this.#program = program;
    this.#options = options;
    this.#target = {
      fromScript: (id, functionName) => options.functions.fromScript({ runtime: this, id, name: functionName }),
      referenceOf: (value) => options.functions.referenceOf(value),
      keepFunction: (callee) => references.keep(callee),
      hostFunction: (id) => references.get(id),
      keepError: (error) => references.keep(error),
      hostError: (id) => references.get(id),
    };
    this.#orders = new Orders(references, this.#target, (id) =>
      program.tell(encodeFrame(ORDERS.release, undefined, id)),
    );
    void program.ended.then((reason) => this.#onEnd(reason));
  }

  define(path: readonly string[], callee: HostFunction): void {
    this.#program.tell(encodeFrame(ORDERS.define, encodeWire([path, callee], this.#target)));
  }

  evaluate(source: string, { fileName, isModule }: SourceOptions, run: ScriptRun): Promise<unknown> {
    if (isModule)
      return Promise.reject(new TypeError(`Cannot evaluate module: ${this.#name} has none that export values`));
    return this.#perform(ORDERS.evaluate, [source, fileName], run);
  }

  call(callee: readonly string[] | FunctionReference, args: readonly unknown[], run: ScriptRun): Promise<unknown> {
    const isReference = "id" in callee;
    return this.#perform(
      isReference ? ORDERS.callFunction : ORDERS.call,
      [isReference ? callee.id : callee, args],
      run,
    );
  }

  release({ id }: FunctionReference): void {
    this.#orders.release(id);
  }

  memoryBytes(): number {
    return this.#program.memoryBytes();
  }

  async close(): Promise<void> {
    this.#onEnd(new TypeError("The engine was closed"));
    this.#program.end();
    await this.#program.ended;
  }

  async #perform(kind: string, value: unknown, run: ScriptRun): Promise<unknown> {
    if (this.#end !== undefined) throw this.#failure();
    const order = this.#orders.write(kind, value);
    let strand: Strand | undefined;
    try {
      strand = await this.#take(run);
      if (this.#end !== undefined) throw this.#failure();
    } catch (error) {
      order.drop();
      throw error;
    }
    if (strand === undefined) return order.drop();
    const { functions, loadModule } = this.#options;
    const parts = { program: this.#program, functions, loadModule, target: this.#target, orders: this.#orders };
    const conversation = new Conversation(parts, strand, run);
    this.#conversations.add(conversation);
    this.#program.turns.watch();
    conversation.begin(order);
    const isOver = (): void => {
      this.#conversations.delete(conversation);
      if (this.#conversations.size === 0) this.#program.turns.unwatch();
      this.#program.giveBack(strand);
    };
    conversation.result.then(isOver, isOver);
    const result = await run.waitFor(conversation.result);
    return result === STOPPED ? this.#untilEnded(conversation, strand) : result;
  }

  /** `undefined`: the run was stopped before there was one. */
  async #take(run: ScriptRun): Promise<Strand | undefined> {
    const taken = this.#program.take();
    if (!(taken instanceof Promise)) return taken;
    const strand = await run.waitFor(taken);
    if (strand !== STOPPED) return strand;
    taken.then(
      (late) => this.#program.giveBack(late),
      () => {},
    );
    return undefined;
  }

  /**
   * It has been stopped, and has to end soon. If it is another one that does not let it, this one ends when that does, and nobody waits for
   * it any more; but it is looked after until then.
   */
  #untilEnded({ result }: Conversation, strand: Strand): Promise<unknown> {
    const isLate = new Promise<void>((resolve) => {
      let looks = 0;
      // One after the other: it may just have got its turn.
      let looksComputing = 0;
      const timer = setInterval(() => {
        looksComputing = this.#program.turns.isRunning(strand) ? looksComputing + 1 : 0;
        if (looksComputing >= GRACE_LOOKS) this.#program.end();
        else if (++looks >= GRACE_LOOKS) resolve();
      }, LOOK_MS);
      const isOver = (): void => clearInterval(timer);
      result.then(isOver, isOver);
    });
    return Promise.race([result, isLate]);
  }

  #onEnd(reason: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { reason };
    for (const conversation of this.#conversations) conversation.fail(this.#failure());
  }

  #failure(): Error {
    return new Error(`Cannot run script: its ${this.#name} has ended`, { cause: this.#end?.reason });
  }
}
