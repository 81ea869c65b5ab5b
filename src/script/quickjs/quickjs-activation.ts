/**
 * One way into QuickJS: an evaluation, a call or a job. While it waits others run, so what the engine knows of the innermost one has to be
 * its own whenever it goes on: the chain of its frames, the end of its stack, what was thrown and not taken yet, and an exception that it
 * is to be given. What it has thrown at its end is taken some microtasks later, and others may have run by then.
 */

import type { ActivationHooks } from "../../link/activation.ts";
import type { ScriptRun } from "../script-run.ts";

/** What all activations of a runtime take turns in. */
export interface Turn {
  current: QuickJSActivation | undefined;
  /** Addresses of words of the engine, see quickjs-layout.ts. */
  readonly stackFrame: number;
  readonly stackLimit: number;
  readonly exception: number;
  /** What is there while nothing was thrown. */
  readonly noException: Exception;
  readonly stackBytes: number;
  /** Lowers as the stack grows. */
  stackPointer(): number;
  read(address: number): number;
  write(address: number, word: number): void;
}

/** The two words of a thrown value. */
export type Exception = readonly [payload: number, tag: number];

/** Bytes that functions of the engine may take between two looks at the limit. */
const RESERVE_BYTES = 24 * 1024;

/** The end of a stack that is entered now. */
const stackEnd = (turn: Turn): number => turn.stackPointer() - turn.stackBytes + RESERVE_BYTES;

/** What nobody can wait in, and no script has called: on the engine's own stack, which has to have an end as well. */
export function runWithoutActivation<Result>(turn: Turn, body: () => Result): Result {
  const outerLimit = turn.read(turn.stackLimit);
  turn.write(turn.stackLimit, stackEnd(turn));
  try {
    return body();
  } finally {
    turn.write(turn.stackLimit, outerLimit);
  }
}

export class QuickJSActivation implements ActivationHooks {
  readonly run: ScriptRun;
  readonly #turn: Turn;
  readonly #started: () => void;
  #raise: (() => void) | undefined;
  #outer: QuickJSActivation | undefined;
  #frame = 0;
  #outerFrame = 0;
  #limit: number | undefined;
  #outerLimit = 0;
  #exception: Exception;
  #outerException: Exception;

  /** `started` is called when it is entered for the first time. */
  constructor(turn: Turn, run: ScriptRun, started: () => void) {
    this.#turn = turn;
    this.run = run;
    this.#started = started;
    this.#exception = turn.noException;
    this.#outerException = turn.noException;
  }

  /** What it has thrown at its end. */
  get exception(): Exception {
    return this.#exception;
  }

  /**
   * It waits in a function of the host, which answers with an exception: `raise` throws it in the engine, which has room for one only.
   * So that happens when this activation goes on, and before anything else does.
   */
  raiseWhenEntered(raise: () => void): void {
    this.#raise = raise;
  }

  readonly onEnter = (): void => {
    const turn = this.#turn;
    this.#outer = turn.current;
    turn.current = this;
    this.#outerFrame = turn.read(turn.stackFrame);
    turn.write(turn.stackFrame, this.#frame);
    if (this.#limit === undefined) {
      this.#limit = stackEnd(turn);
      this.#started();
    }
    this.#outerLimit = turn.read(turn.stackLimit);
    turn.write(turn.stackLimit, this.#limit);
    this.#outerException = exchangeException(turn, this.#exception);
    const raise = this.#raise;
    this.#raise = undefined;
    raise?.();
  };

  readonly onLeave = (): void => {
    const turn = this.#turn;
    turn.current = this.#outer;
    this.#frame = turn.read(turn.stackFrame);
    turn.write(turn.stackFrame, this.#outerFrame);
    turn.write(turn.stackLimit, this.#outerLimit);
    this.#exception = exchangeException(turn, this.#outerException);
  };
}

/** Puts one exception where the engine keeps it, and gives the one that was there. */
export function exchangeException(turn: Turn, exception: Exception): Exception {
  const { exception: address } = turn;
  const before: Exception = [turn.read(address), turn.read(address + 4)];
  turn.write(address, exception[0]);
  turn.write(address + 4, exception[1]);
  return before;
}
