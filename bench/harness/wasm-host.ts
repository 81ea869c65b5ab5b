/** A host that is WebAssembly itself, so that nothing is measured but the switches. */

import { ModuleBuilder } from "#src/binary/builder";
import type { FunctionType } from "#src/binary/extern-types";
import { FUNCREF, I32 } from "#src/binary/value-types";
import { resumeExport } from "#src/transform/abi";
import type { GuestFunction, GuestFunctions } from "./guests.ts";

/** Imports of the guest `loop`. */
const IMPORTS: Readonly<Record<string, FunctionType>> = {
  step: { params: [I32], results: [I32] },
  next: { params: [], results: [I32] },
  tick: { params: [], results: [] },
};

function instantiate(builder: ModuleBuilder, imports: object): WebAssembly.Exports {
  const module = new WebAssembly.Module(builder.build());
  return new WebAssembly.Instance(module, imports as WebAssembly.Imports).exports;
}

/** Imports for the guest `loop` that suspend in every call: `(func (param …) (result …)  call_indirect $suspend  zero)`. */
export function suspendingHost(): { imports: WebAssembly.Exports; suspendWith: (suspend: GuestFunction) => void } {
  const builder = new ModuleBuilder();
  const table = builder.addTable({ element: FUNCREF, minimum: 1, maximum: 1 });
  const suspendType = builder.type({ params: [], results: [] });
  builder.export("suspend", "table", table);
  for (const [name, type] of Object.entries(IMPORTS)) {
    const { code, index } = builder.addFunction(type);
    code.i32Const(0).callIndirect(suspendType, table);
    if (type.results.length > 0) code.i32Const(0);
    builder.export(name, "function", index);
  }
  const imports = instantiate(builder, {});
  return { imports, suspendWith: (suspend) => (imports["suspend"] as WebAssembly.Table).set(0, suspend) };
}

/** `area -> ()`: resumes a stack with 1 until it returns. */
export function addDriver(first: GuestFunctions): (area: number) => void {
  const builder = new ModuleBuilder();
  const type = { params: [I32, I32], results: [I32] };
  const resume = builder.importFunction("first", resumeExport([I32]), type);
  const { code, index } = builder.addFunction({ params: [I32], results: [] });
  code.loop().localGet(0).i32Const(1).call(resume).localTee(0).brIf(0).end();
  builder.export("drive", "function", index);
  return instantiate(builder, { first })["drive"] as (area: number) => void;
}
