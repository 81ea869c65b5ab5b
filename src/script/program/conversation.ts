/** One evaluation or call, while a program runs it: answers what the script asks. */

import type { FunctionBridge, HostFunction } from "../language.ts";
import { ScriptError } from "../script-errors.ts";
import { STOPPED, isThenable } from "../script-run.ts";
import type { ScriptRun } from "../script-run.ts";
import { decodeWire, encodeWire } from "../wire.ts";
import type { WireTarget, WireValue } from "../wire.ts";
import { ORDERS, REPORTS, encodeFrame } from "./frame.ts";
import type { Frame } from "./frame.ts";
import type { ScriptProgram, Strand } from "./strand.ts";

export interface ConversationParts {
  readonly program: ScriptProgram;
  readonly functions: FunctionBridge;
  readonly target: WireTarget;
}

const STOP = encodeFrame(ORDERS.stop);
const GO_ON = encodeFrame(ORDERS.value);

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

  begin(order: Uint8Array): void {
    this.#strand.send(() => (this.#run.isStopped ? STOP : order));
  }

  /** The program has ended, and so has the script. */
  fail(reason: unknown): void {
    this.#reject(reason);
  }

  #onFrame({ kind, number, value }: Frame): void {
    switch (kind) {
      case REPORTS.call:
        this.#call(number, value);
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
    if (pause === undefined) this.#send(GO_ON);
    else void pause.then(() => this.#send(GO_ON));
  }

  #sleep(args: WireValue): void {
    const [seconds] = decodeWire(args, this.#parts.target) as [number];
    let timer: ReturnType<typeof setTimeout>;
    const isOver = new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.min(seconds * 1000, 2 ** 31 - 1))));
    this.#run.wait(
      isOver,
      () => {
        clearTimeout(timer);
        this.#send(GO_ON);
      },
      () => {},
    );
  }

  #call(id: number, args: WireValue): void {
    const { target, functions } = this.#parts;
    const run = this.#run;
    if (run.isStopped) return this.#send(STOP);
    let answer: unknown;
    try {
      const callee = target.hostFunction(id) as HostFunction; // only functions are numbered for calls
      answer = functions.callHost(callee, decodeWire(args, target) as unknown[], run);
    } catch (error) {
      return this.#sendError(error);
    }
    if (!isThenable(answer)) return this.#sendValue(answer);
    run.wait(
      answer,
      (value) => (value === STOPPED ? this.#send(STOP) : this.#sendValue(value)),
      (error) => this.#sendError(error),
    );
  }

  #sendValue(value: unknown): void {
    let frame: Uint8Array;
    try {
      frame = encodeFrame(ORDERS.value, encodeWire(value, this.#parts.target));
    } catch (error) {
      return this.#sendError(error);
    }
    this.#send(frame);
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
    this.#send(encodeFrame(ORDERS.error, wire));
  }

  #send(frame: Uint8Array): void {
    this.#strand.send(() => (this.#run.isStopped ? STOP : frame));
  }
}
