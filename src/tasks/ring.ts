/** A queue in an array that is used round and round: nothing is allocated per item. */

const INITIAL_SLOTS = 16;
/** As many are kept when it is empty; what there was room for in a rush, but is not needed any more, is not. */
const KEPT_SLOTS = 1024;

function emptySlots<Item>(count: number): (Item | undefined)[] {
  return Array.from({ length: count }, () => undefined);
}

export class Ring<Item> {
  /** As many as a power of two, so that a mask finds a position. */
  #slots: (Item | undefined)[] = emptySlots(INITIAL_SLOTS);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: Item): void {
    if (this.#length === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#length) & (this.#slots.length - 1)] = item;
    this.#length++;
  }

  /** The oldest item. Only when there is one. */
  shift(): Item {
    const item = this.#slots[this.#head] as Item; // the caller has looked at the length
    this.#slots[this.#head] = undefined;
    this.#length--;
    if (this.#length === 0 && this.#slots.length > KEPT_SLOTS) {
      this.#slots = emptySlots(INITIAL_SLOTS);
      this.#head = 0;
    } else this.#head = (this.#head + 1) & (this.#slots.length - 1);
    return item;
  }

  /** Puts it before all others. */
  unshift(item: Item): void {
    if (this.#length === this.#slots.length) this.#grow();
    this.#head = (this.#head - 1) & (this.#slots.length - 1);
    this.#slots[this.#head] = item;
    this.#length++;
  }

  #grow(): void {
    const { length } = this.#slots;
    const slots = emptySlots<Item>(length * 2);
    for (let i = 0; i < length; i++) slots[i] = this.#slots[(this.#head + i) & (length - 1)];
    this.#slots = slots;
    this.#head = 0;
  }
}
