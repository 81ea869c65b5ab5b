/** One evaluation or call, while a program runs it: answers what the script asks. */

import { Timer } from "../../platform/timer.ts";
import { isThenable } from "../../threads/answerer.ts";
import type { FunctionBridge, HostFunction, RuntimeOptions } from "../language.ts";
import { moduleSource } from "../module-source.ts";
import { ScriptError } from "../script-errors.ts";
import { STOPPED } from "../script-run.ts";
import type { ScriptRun } from "../script-run.ts";
import { decodeWire } from "../wire.ts";
import type { WireTarget, WireValue } from "../wire.ts";
import { ORDERS, REPORTS, encodeFrame } from "./frame.ts";
import type { Frame } from "./frame.ts";
import type { Order, Orders } from "./orders.ts";
import type { ScriptProgram } from "./script-program.ts";
import type { Strand } from "./strand.ts";

export interface ConversationParts {
  readonly program: ScriptProgram;
  readonly functions: FunctionBridge;
  readonly loadModule: RuntimeOptions["loadModule"];
  readonly target: WireTarget;
  readonly orders: Orders;
}

const STOP = encodeFrame(ORDERS.stop);
const NOTHING = encodeFrame(ORDERS.value);
/** Also what a script is sent that is to end: it gets {@link STOP} then. */
const GO_ON: Order = { take: () => NOTHING, drop() {} };

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

  begin(order: Order): void {
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
        this.#call(() => this.#sleep(value));
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
    this.#run.count(this.#parts.program.turns.takeOperations(this.#strand));
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
    const pause = run.tick(this.#parts.program.turns.takeOperations(this.#strand), true);
    if (pause === undefined) this.#send(GO_ON);
    else void pause.then(() => this.#send(GO_ON));
  }

  #sleep(args: WireValue): Promise<void> {
    const [seconds] = decodeWire(args, this.#parts.target) as [number | bigint];
    const { signal } = this.#run;
    return new Promise((resolve) => {
      const timer = new Timer(Number(seconds) * 1000, () => {
        signal.removeEventListener("abort", stop);
        resolve();
      });
      const stop = (): void => timer.clear();
      signal.addEventListener("abort", stop);
    });
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
    if (run.isStopped) return this.#send(GO_ON);
    let answer: unknown;
    let pending: PromiseLike<unknown> | undefined;
    try {
      answer = call();
      if (isThenable(answer)) pending = answer;
    } catch (error) {
      return this.#sendError(error);
    }
    if (pending === undefined) return this.#sendValue(answer);
    run.wait(
      pending,
      (value) => (value === STOPPED ? this.#send(GO_ON) : this.#sendValue(value)),
      (error) => this.#sendError(error),
    );
  }

  #sendValue(value: unknown): void {
    let order: Order;
    try {
      order = this.#parts.orders.write(ORDERS.value, value);
    } catch (error) {
      return this.#sendError(error);
    }
    this.#send(order);
  }

  #sendError(error: unknown): void {
    const { orders } = this.#parts;
    let order: Order;
    try {
      order = orders.write(ORDERS.error, error);
    } catch {
      const message = "A function of the host has thrown something that a script cannot be given";
      order = orders.write(ORDERS.error, new TypeError(message));
    }
    this.#send(order);
  }

  #send(order: Order): void {
    this.#strand.send(() => {
      if (!this.#run.isStopped) return order.take();
      order.drop();
      return STOP;
    });
  }
}
