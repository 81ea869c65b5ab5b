/** What the body of a coroutine in a thread suspends with. */

/** Given to the body as its first argument. */
export interface Yielder<Input, Yield> {
  /**
   * Suspends the coroutine, from any depth of calls: its resumer is given `value`. Returns with what it is resumed with.
   *
   * @throws {ForcedUnwind} when the coroutine is unwound; whoever catches it should throw it on
   * @throws what it is resumed with by `throw()`
   */
  suspend(value: Yield): Input;
}
