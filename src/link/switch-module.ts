/**
 * The link module of a backend that leaves and enters its stacks in JavaScript: the switches of record-switches.ts, and nothing else.
 *
 *     enter(record)    a new activation begins
 *     resume(record)   one that was left goes on
 *     leave(record)    it is suspended
 *     end(record)      it has returned, thrown, or was cut off by a trap
 *
 * They are wasm, since the stack pointer is a global that costs wasm one instruction and JavaScript 50 ns.
 */

import { ModuleBuilder } from "../binary/builder.ts";
import { I32 } from "../binary/value-types.ts";
import { GUEST, LINK, MEMORY, STACK_LIMIT, STACK_POINTER } from "./entry-shims.ts";
import type { PreparedGuest } from "./prepare.ts";
import { Switches } from "./record-switches.ts";
import { SAVED, memory } from "./switchboard.ts";

type Switch = (record: number) => void;

/** What changes the running activation of one guest. */
export interface GuestSwitches {
  readonly enter: Switch;
  readonly resume: Switch;
  readonly leave: Switch;
  readonly end: Switch;
}

/** What JavaScript gives the switches. */
export interface SwitchSide {
  /** Address of the guest's block in the switchboard. */
  readonly guest: number;
  readonly hook: (record: number, isEntering: number) => void;
  readonly ended: (record: number) => void;
}

/** Generated once for a guest. */
export function buildSwitchModule(guest: PreparedGuest): WebAssembly.Module {
  const module = new ModuleBuilder();
  const record = { params: [I32], results: [] };
  const ended = module.importFunction(LINK, "ended", record);
  const imports = {
    hook: module.importFunction(LINK, "hook", { params: [I32, I32], results: [] }),
    ended,
    // Whoever enters in JavaScript sees that it was cut off; nothing of this module is left behind.
    cutOff: ended,
  };
  module.importMemory(LINK, MEMORY, { minimum: 1 });
  const stack = importStack(module, guest);
  const block = module.importGlobal(LINK, "guest", { type: I32, mutable: false });
  const switches = new Switches(module, { imports, guest: block, stack, counter: SAVED });
  module.export("enter", "function", switches.enter.index);
  module.export("resume", "function", switches.defineResume(module).index);
  module.export("leave", "function", switches.leave.index);
  module.export("end", "function", switches.end.index);
  return new WebAssembly.Module(module.build());
}

function importStack(
  module: ModuleBuilder,
  { original, stack, checksStack }: PreparedGuest,
): ConstructorParameters<typeof Switches>[1]["stack"] {
  if (stack.kind !== "found") return undefined;
  const { type } = original.globals[stack.global]!;
  return {
    type,
    pointer: module.importGlobal(GUEST, STACK_POINTER, { type, mutable: true }),
    limit: checksStack ? module.importGlobal(GUEST, STACK_LIMIT, { type, mutable: true }) : undefined,
  };
}

/** The switches of one instance. */
export function linkSwitches(
  module: WebAssembly.Module,
  instance: WebAssembly.Instance,
  { guest, hook, ended }: SwitchSide,
): GuestSwitches {
  const { exports } = new WebAssembly.Instance(module, {
    [LINK]: { guest, hook, ended, [MEMORY]: memory },
    [GUEST]: instance.exports,
  });
  // The four functions that buildSwitchModule exports.
  return exports as unknown as GuestSwitches;
}
