/**
 * Functions and errors of the host in the hands of scripts. Each is a userdata of Lua, known by its address; scripts see a function that has
 * it as its upvalue, or the userdata itself for an error. The finalizer of the userdata says when nobody has it any more.
 */

export type HostObject = { readonly callee: (...args: readonly unknown[]) => unknown } | { readonly error: object };

export class HostObjects {
  readonly #objects = new Map<number, HostObject>();
  /** The function or the error → where it is. */
  readonly #addresses = new WeakMap<object, number>();

  get size(): number {
    return this.#objects.size;
  }

  at(address: number): HostObject | undefined {
    return this.#objects.get(address);
  }

  /** Where a function or an error is, if scripts may still have it. */
  addressOf(key: object): number | undefined {
    const address = this.#addresses.get(key);
    const object = address === undefined ? undefined : this.#objects.get(address);
    return object !== undefined && keyOf(object) === key ? address : undefined;
  }

  set(address: number, object: HostObject): void {
    this.#objects.set(address, object);
    this.#addresses.set(keyOf(object), address);
  }

  drop(address: number): void {
    this.#objects.delete(address);
  }
}

function keyOf(object: HostObject): object {
  return "callee" in object ? object.callee : object.error;
}
