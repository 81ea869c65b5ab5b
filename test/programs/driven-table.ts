/** A table as the host sees it: functions that it takes out suspend when it calls them; what it puts in is what the guest gets. */

import type { HostFunction } from "./observation.ts";

/** The guest in whose form the functions are. */
export interface TableGuest {
  /** What the host calls in place of an entry. */
  drive(entry: HostFunction): HostFunction;
  /** What was made from an export to be called by the host → the export. */
  readonly exportOf: ReadonlyMap<HostFunction, HostFunction>;
}

export class DrivenTable {
  readonly table: WebAssembly.Table;
  #guest: TableGuest | undefined;
  readonly #drivenOf = new Map<HostFunction, HostFunction>();
  readonly #entryOf = new Map<HostFunction, HostFunction>();

  /** Without a guest, functions are what they are. */
  constructor(table: WebAssembly.Table, guest?: TableGuest) {
    this.table = table;
    this.#guest = guest;
  }

  connect(guest: TableGuest): void {
    this.#guest = guest;
  }

  get length(): number {
    return this.table.length;
  }

  get(index: number): HostFunction | null {
    const entry = this.table.get(index) as HostFunction | null;
    if (!entry || !this.#guest) return entry;
    let driven = this.#drivenOf.get(entry);
    if (!driven) {
      driven = this.#guest.drive(entry);
      this.#drivenOf.set(entry, driven);
      this.#entryOf.set(driven, entry);
    }
    return driven;
  }

  set(index: number, value: HostFunction | null): void {
    this.table.set(index, value && (this.#entryOf.get(value) ?? this.#guest?.exportOf.get(value) ?? value));
  }

  grow(delta: number): number {
    return this.table.grow(delta);
  }
}
