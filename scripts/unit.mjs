/**
 * The tests on the sources under Node 26: all, or those at or below the given paths.
 *
 * `npm run test:unit -- test/link --test-name-pattern="overlapping calls"`
 */
import { runOnSources } from "./run.mjs";
import { TEST_ENVIRONMENT, TEST_FLAGS, testFiles } from "./test-files.mjs";

const given = process.argv.slice(2);
const flags = given.filter((argument) => argument.startsWith("-"));
const paths = given.filter((argument) => !argument.startsWith("-"));
const files = testFiles(paths.length > 0 ? paths : ["test"], ".test.ts");

if (files.length === 0) throw new Error(`Cannot run tests: no .test.ts file at or below ${paths.join(", ")}`);
process.exitCode = runOnSources([...TEST_FLAGS, ...flags, ...files], TEST_ENVIRONMENT) ? 0 : 1;
