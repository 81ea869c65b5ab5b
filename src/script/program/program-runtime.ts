/** An interpreter that is a WASI program as a `ScriptRuntime`. */

import { HostReferences } from "../host-references.ts";
import type { FunctionReference, HostFunction, RuntimeOptions, ScriptRuntime, SourceOptions } from "../language.ts";
import { STOPPED } from "../script-run.ts";
import type { ScriptRun } from "../script-run.ts";
import { encodeWire } from "../wire.ts";
import type { WireTarget } from "../wire.ts";
import { Conversation } from "./conversation.ts";
import { ORDERS, encodeFrame } from "./frame.ts";
import { Releases } from "./releases.ts";
import type { ScriptProgram, Strand } from "./strand.ts";

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
  readonly #releases: Releases;
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
    this.#releases = new Releases((id) => program.tell(encodeFrame(ORDERS.release, undefined, id)));
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
    this.#releases.release(id);
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
    const order = this.#releases.hold(encodeFrame(kind, encodeWire(value, this.#target)));
    const strand = await this.#program.take();
    if (this.#end !== undefined) throw this.#failure();
    const { functions, loadModule } = this.#options;
    const parts = { program: this.#program, functions, loadModule, target: this.#target, releases: this.#releases };
    const conversation = new Conversation(parts, strand, run);
    this.#conversations.add(conversation);
    this.#program.watch();
    conversation.begin(order);
    const isOver = (): void => {
      this.#conversations.delete(conversation);
      if (this.#conversations.size === 0) this.#program.unwatch();
      this.#program.giveBack(strand);
    };
    conversation.result.then(isOver, isOver);
    const result = await run.waitFor(conversation.result);
    return result === STOPPED ? this.#untilEnded(conversation, strand) : result;
  }

  /**
   * It has been stopped, and has to end soon. If it is another one that does not let it, this one ends when that does, and nobody waits for
   * it any more.
   */
  async #untilEnded({ result }: Conversation, strand: Strand): Promise<unknown> {
    let looks = 0;
    let timer: ReturnType<typeof setInterval>;
    const isLate = new Promise<void>((resolve) => {
      timer = setInterval(() => {
        if (++looks < GRACE_LOOKS) return;
        if (this.#program.isComputing(strand)) this.#program.end();
        else resolve();
      }, LOOK_MS);
    });
    try {
      return await Promise.race([result, isLate]);
    } finally {
      clearInterval(timer!);
    }
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
