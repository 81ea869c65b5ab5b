/** Writes the file of the present version of the format: see README.md. */

import { writeFileSync } from "node:fs";
import { FORMAT_VERSION } from "#src/transform/compiler-version";
import { pack } from "#src/transform/packaged-module";
import { transformModule } from "#src/transform/transform-module";
import { assemble } from "../assemble.ts";
import { TEXT } from "./guest.ts";

const transformed = transformModule(await assemble(TEXT), { multiMemory: false });
writeFileSync(new URL(`format-${FORMAT_VERSION}.wasm`, import.meta.url), pack(transformed));
