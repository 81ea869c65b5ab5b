/** One evaluation or call, while a program runs it: answers what the script asks. */

import { Timer } from "../../platform/timer.ts";
import { isThenable } from "../../threads/answerer.ts";
import type { FunctionBridge, HostFunction, RuntimeOptions } from "../language.ts";
import { moduleSource } from "../module-source.ts";
import { ScriptError } from "../script-errors.ts";
import { STOPPED } from "../script-run.ts";
import type { ScriptRun } from "../script-run.ts";
import { decodeWire, encodeWire } from "../wire.ts";
import type { WireTarget, WireValue } from "../wire.ts";
import { ORDERS, REPORTS, encodeFrame } from "./frame.ts";
import type { Frame } from "./frame.ts";
import type { Releases } from "./releases.ts";
import type { ScriptProgram, Strand } from "./strand.ts";

export interface ConversationParts {
  readonly program: ScriptProgram;
  readonly functions: FunctionBridge;
  readonly loadModule: RuntimeOptions["loadModule"];
  readonly target: WireTarget;
  readonly releases: Releases;
}

const STOP = encodeFrame(ORDERS.stop);
const NOTHING = encodeFrame(ORDERS.value);
const stop = (): Uint8Array => STOP;
const goOn = (): Uint8Array => NOTHING;

export class Conversation {
  /** How the script has ended. */
  readonly result: Promise<unknown>;
  readonly #parts: ConversationParts;
  readonly #strand: Strand;
  readonly #run: ScriptRun;
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;

  constructor(parts: ConversationParts, strand: Strand, run: ScriptRun) {
    this.#parts = parts;
    this.#strand = strand;
    this.#run = run;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    strand.listener = (frame) => this.#onFrame(frame);
  }

  begin(order: () => Uint8Array): void {
    this.#send(order);
  }

  /** The program has ended, and so has the script. */
  fail(reason: unknown): void {
    this.#reject(reason);
  }

  #onFrame({ kind, number, value }: Frame): void {
    switch (kind) {
      case REPORTS.call:
        this.#call(() => this.#callHost(number, value));
        return;
      case REPORTS.module:
        this.#call(() => this.#moduleSource(value));
        return;
      case REPORTS.sleep:
        this.#sleep(value);
        return;
      case REPORTS.tick:
        this.#tick();
        return;
      case REPORTS.result:
      case REPORTS.failure:
        this.#finish(kind === REPORTS.result, value);
    }
  }

  #finish(isFulfilled: boolean, wire: WireValue): void {
    this.#strand.listener = undefined;
    this.#run.count(this.#parts.program.operationsOf(this.#strand));
    try {
      const value = decodeWire(wire, this.#parts.target);
      if (isFulfilled) this.#resolve(value);
      else this.#reject(value instanceof ScriptError ? value : new ScriptError("The script has failed", { value }));
    } catch (error) {
      this.#reject(error);
    }
  }

  #tick(): void {
    const run = this.#run;
    const pause = run.tick(this.#parts.program.operationsOf(this.#strand), true);
    if (pause === undefined) this.#send(goOn);
    else void pause.then(() => this.#send(goOn));
  }

  #sleep(args: WireValue): void {
    const [seconds] = decodeWire(args, this.#parts.target) as [number];
    let timer: Timer;
    const isOver = new Promise<void>((resolve) => (timer = new Timer(seconds * 1000, resolve)));
    this.#run.wait(
      isOver,
      () => {
        timer.clear();
        this.#send(goOn);
      },
      () => {},
    );
  }

  #callHost(id: number, args: WireValue): unknown {
    const { target, functions } = this.#parts;
    const callee = target.hostFunction(id) as HostFunction; // only functions are numbered for calls
    return functions.callHost(callee, decodeWire(args, target) as unknown[], this.#run);
  }

  #moduleSource(args: WireValue): Promise<string> {
    const [name] = decodeWire(args, this.#parts.target) as [string];
    return moduleSource(this.#parts.loadModule, name);
  }

  /** Answers with what `call` returns or throws, or what that settles with. */
  #call(call: () => unknown): void {
    const run = this.#run;
    if (run.isStopped) return this.#send(stop);
    let answer: unknown;
    try {
      answer = call();
    } catch (error) {
      return this.#sendError(error);
    }
    if (!isThenable(answer)) return this.#sendValue(answer);
    run.wait(
      answer,
      (value) => (value === STOPPED ? this.#send(stop) : this.#sendValue(value)),
      (error) => this.#sendError(error),
    );
  }

  #sendValue(value: unknown): void {
    let wire: WireValue;
    try {
      wire = encodeWire(value, this.#parts.target);
    } catch (error) {
      return this.#sendError(error);
    }
    this.#answer(ORDERS.value, wire);
  }

  #sendError(error: unknown): void {
    const { target } = this.#parts;
    let wire: WireValue;
    try {
      wire = encodeWire(error, target);
    } catch {
      wire = encodeWire(
        new TypeError("A function of the host has thrown something that a script cannot be given"),
        target,
      );
    }
    this.#answer(ORDERS.error, wire);
  }

  #answer(kind: string, wire: WireValue): void {
    this.#send(this.#parts.releases.hold(encodeFrame(kind, wire)));
  }

  #send(order: () => Uint8Array): void {
    this.#strand.send(() => {
      const frame = order();
      return this.#run.isStopped ? STOP : frame;
    });
  }
}
