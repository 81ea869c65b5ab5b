/** Why a run is over before the program has ended, and what asks for that: signals, a time limit, a reader that has gone. */

import { setMaxListeners } from "node:events";
import { Timer } from "../platform/timer.ts";

/** What the program is unwound with. */
export class Stopped extends Error {
  override readonly name = "Stopped";
  readonly exitCode: number;

  /** An empty `message` is not worth telling: who has pressed Ctrl-C knows. */
  constructor(exitCode: number, message = "") {
    super(message);
    this.exitCode = exitCode;
  }
}

/** As shells say it: 128 + the number of the signal. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
const SIGPIPE_EXIT = 141;
/** As timeout(1) of coreutils. */
const TIMEOUT_EXIT = 124;

/** Milliseconds in which all is written that somebody takes. */
const GRACE_MS = 500;

/** Ends this process if it does not end by itself: what nobody reads, and who does not answer, would keep it for as long as they like. */
function endSoon(): void {
  setTimeout(() => process.exit(), GRACE_MS).unref();
}

/** Listens while a program runs; what was asked for first counts. */
export class StopRequests {
  readonly #controller = new AbortController();
  readonly #undo: (() => void)[] = [];

  constructor() {
    // Each copy of a program listens to it; Node 20 warns of more than ten.
    setMaxListeners(0, this.signal);
  }

  /** Aborts with a {@link Stopped}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Signals end the program; the second one ends this process, as if nobody listened. */
  listen(): void {
    for (const [name, exitCode] of Object.entries(SIGNALS)) {
      const stop = (): void => {
        if (this.signal.aborted) {
          this.close();
          process.kill(process.pid, name);
        } else this.#controller.abort(new Stopped(exitCode));
      };
      process.on(name, stop);
      this.#undo.push(() => process.off(name, stop));
    }
  }

  /** Nobody reads what the program writes any more: it ends as SIGPIPE ends it. */
  breakPipe(): void {
    this.#controller.abort(new Stopped(SIGPIPE_EXIT));
  }

  limitTime(milliseconds: number, text: string): void {
    const timer = new Timer(milliseconds, () =>
      this.#controller.abort(new Stopped(TIMEOUT_EXIT, `the program was stopped after ${text}`)),
    );
    this.#undo.push(() => timer.clear());
  }

  /** Nobody listens any more. If the run was ended, so is this process. */
  close(): void {
    for (const undo of this.#undo.splice(0)) undo();
    if (this.signal.aborted) endSoon();
  }
}
