/** How a program has ended. */

/**
 * What a call of a guest's export rejects with when the program called `proc_exit`. `WASI.start()` gives its code instead, so that it
 * is only seen where an export is called directly.
 */
export class WasiExit extends Error {
  override readonly name = "WasiExit";
  readonly code: number;

  constructor(code: number) {
    super(`The program has exited with code ${code}`);
    this.code = code;
  }
}
