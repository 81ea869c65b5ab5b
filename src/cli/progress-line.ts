/** One line on a terminal that says how far something has come, and is gone when it is done. */

export interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** What is done before that needs no line. */
const PATIENCE_MS = 500;
const REDRAW_MS = 100;

export class ProgressLine {
  readonly #terminal: Terminal;
  readonly #label: string;
  readonly #now: () => number;
  #nextMs: number;
  #isShown = false;

  /** Starts the clock. `now` gives milliseconds. */
  constructor(terminal: Terminal, label: string, now: () => number = () => performance.now()) {
    this.#terminal = terminal;
    this.#label = label;
    this.#now = now;
    this.#nextMs = now() + PATIENCE_MS;
  }

  update(done: number, total: number): void {
    if (this.#terminal.isTTY !== true || this.#now() < this.#nextMs) return;
    this.#nextMs = this.#now() + REDRAW_MS;
    this.#isShown = true;
    this.#terminal.write(`\r\u001B[K${this.#label}: ${Math.floor((done / total) * 100)} %`);
  }

  /** Clears the line. */
  end(): void {
    if (this.#isShown) this.#terminal.write("\r\u001B[K");
    this.#isShown = false;
  }
}
