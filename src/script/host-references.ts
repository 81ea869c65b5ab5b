/** What scripts have of the host: functions and errors, by numbers that come back when what stands for them was collected. */

export class HostReferences {
  readonly #values = new Map<number, unknown>();
  #last = 0;

  keep(value: unknown): number {
    this.#values.set(++this.#last, value);
    return this.#last;
  }

  get(id: number): unknown {
    return this.#values.get(id);
  }

  release(id: number): void {
    this.#values.delete(id);
  }

  get size(): number {
    return this.#values.size;
  }
}
