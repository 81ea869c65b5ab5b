/** Tasks of guests where the platform has no asynchronous context, as browsers have none. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const extension = path.extname(import.meta.url);
const isSource = extension === ".ts";
const tests = fileURLToPath(new URL(`programs.test${extension}`, import.meta.url));
/** The one place where this library would find it. */
const WITHOUT = "data:text/javascript,process.getBuiltinModule = undefined;";

describe("Without an asynchronous context", () => {
  it("tasks of guests wait, are cancelled and are named all the same", async () => {
    const conditions = isSource ? ["--conditions=source"] : [];
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [...conditions, "--import", WITHOUT, "--test", "--test-reporter=tap", tests],
      { env },
    );
    assert.match(stdout, /^# fail 0$/m);
    assert.ok(Number(/^# pass (\d+)$/m.exec(stdout)?.[1]) > 20);
  });
});
