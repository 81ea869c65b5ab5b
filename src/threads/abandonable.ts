/** Whether somebody still waits for an answer, as a signal for whoever makes it. */

export class Abandonable {
  /** Made when somebody asks: most calls are never abandoned, and it costs more than a call. */
  #controller: AbortController | undefined;
  #isAbandoned = false;

  /** Aborts when nobody waits for the answer any more. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isAbandoned) this.abandon();
    return this.#controller.signal;
  }

  /** Nobody waits for the answer any more. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#controller?.abort(new DOMException("Nobody waits for the answer any more", "AbortError"));
  }
}
