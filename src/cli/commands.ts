/** All commands, in the order of the help. A new one is a file of its own and a line here. */

import { backendsCommand } from "./backends.ts";
import type { Command } from "./command.ts";
import { inspectCommand } from "./inspect.ts";
import { runCommand } from "./run.ts";
import { transformCommand } from "./transform.ts";

export const COMMANDS: readonly Command[] = [runCommand, inspectCommand, transformCommand, backendsCommand];
