/** `stackful run --copies`: many instances of one program at once, in one thread. */

import { CommandError } from "./command.ts";
import { failureOf, failureText } from "./run-failure.ts";
import { bytesText } from "./inspection-text.ts";
import { count } from "./transform-report.ts";

/** Runs copy `number`. @returns its exit code */
export type RunCopy = (number: number) => Promise<number>;

/** More instances with memories of their own are more than a process has room for: 4 of 65,530 mappings for each, 2 for its stack. */
const MAX_AT_ONCE = 10_000;
/** Failures that are told one by one; the totals have all of them. */
const MAX_TOLD = 5;
const REDRAW_MS = 100;

export class Copies {
  readonly #total: number;
  readonly #run: RunCopy;
  readonly #terminal: NodeJS.WriteStream;
  readonly #signal: AbortSignal;
  #running = 0;
  #ended = 0;
  #most = 0;
  #mostBytes = 0;
  #told = 0;
  #drawnMs = 0;
  /** Exit code → how many have ended with it. */
  readonly #codes = new Map<number, number>();
  #wake: (() => void) | undefined;

  constructor(
    total: number,
    run: RunCopy,
    { terminal, signal }: { terminal: NodeJS.WriteStream; signal: AbortSignal },
  ) {
    this.#total = total;
    this.#run = run;
    this.#terminal = terminal;
    this.#signal = signal;
  }

  /** Runs all of them. @returns the highest exit code */
  async runAll(): Promise<number> {
    const started = performance.now();
    const before = process.cpuUsage();
    for (let number = 0; number < this.#total && !this.#signal.aborted; number++) {
      // oxlint-disable-next-line no-await-in-loop -- there is only room for so many
      while (this.#running >= MAX_AT_ONCE) await this.#oneEnded();
      void this.#start(number);
      // Each begins before the next one is made, and those that wait go on.
      if (number % 50 === 49) await new Promise((done) => setImmediate(done));
    }
    while (this.#running > 0) await this.#oneEnded();
    const { user, system } = process.cpuUsage(before);
    this.#clearLine();
    this.#terminal.write(this.#totals(performance.now() - started, (user + system) / 1000));
    return Math.max(0, ...this.#codes.keys());
  }

  async #start(number: number): Promise<void> {
    this.#running++;
    if (this.#running > this.#most) this.#most = this.#running;
    try {
      this.#note(await this.#run(number));
    } catch (error) {
      this.#fail(number, error);
    } finally {
      this.#mostBytes = Math.max(this.#mostBytes, this.#ended % 100 === 0 ? process.memoryUsage.rss() : 0);
      this.#running--;
      this.#ended++;
      this.#draw();
      this.#wake?.();
    }
  }

  #oneEnded(): Promise<void> {
    return new Promise((done) => (this.#wake = done));
  }

  #note(exitCode: number): void {
    this.#codes.set(exitCode, (this.#codes.get(exitCode) ?? 0) + 1);
  }

  #fail(number: number, error: unknown): void {
    const failure = failureOf(error) ??
      // Of a program that runs nothing else fails but making it: mostly memory.
      { exitCode: 1, message: error instanceof Error ? error.message : String(error), frames: [] };
    this.#note(failure.exitCode);
    // What stops all of them is told by whoever has asked for it.
    if (this.#signal.aborted || this.#told++ >= MAX_TOLD) return;
    this.#clearLine();
    this.#terminal.write(failureText(failure, `copy ${number}: `));
  }

  #draw(): void {
    const now = performance.now();
    if (!this.#terminal.isTTY || now - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = now;
    const line = `${count(this.#ended)} of ${count(this.#total)} copies have ended, ${count(this.#running)} are running`;
    this.#terminal.write(`\r\u001B[K${line}`);
  }

  #clearLine(): void {
    if (this.#drawnMs > 0) this.#terminal.write("\r\u001B[K");
    this.#drawnMs = 0;
  }

  #totals(milliseconds: number, cpuMs: number): string {
    const codes = [...this.#codes]
      .toSorted(([a], [b]) => a - b)
      .map(([code, number]) => `${count(number)} with exit code ${code}`);
    const parts = [
      `${count(this.#ended)} copies in ${(milliseconds / 1000).toFixed(2)} s: ${codes.join(", ")}`,
      `at most ${count(this.#most)} at once, in one thread`,
      `${(cpuMs / 1000).toFixed(2)} s of CPU time`,
      `${bytesText(this.#mostBytes)} of memory`,
    ];
    return `${parts.join("; ")}\n`;
  }
}

/** What no run survives. */
export function requireRoom(copies: number): void {
  if (copies <= 1_000_000) return;
  throw new CommandError(`cannot run ${count(copies)} copies: 1,000,000 are the limit`);
}
