/** `src` → `dist`; with the argument `tests` also `test` and `examples` → `build`, which run on `dist`. */
import { chmodSync, cpSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { root } from "./nodes.mjs";
import { run } from "./run.mjs";

function compile(configuration, outputFolder) {
  rmSync(path.join(root, outputFolder), { recursive: true, force: true });
  return run("tsc", ["--project", configuration]);
}

/** npm makes what `bin` names executable when it installs the package; in the repository it is this script. */
function makeExecutable() {
  const { bin } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  for (const file of Object.values(bin)) chmodSync(path.join(root, file), 0o755);
}

/** Tests find their guests beside themselves, so the compiled tests need them too. */
function copyAssets(folder) {
  const isAsset = (file) => !file.endsWith(".ts") && !file.includes("node_modules");
  cpSync(path.join(root, folder), path.join(root, "build", folder), { recursive: true, filter: isAsset });
}

if (process.argv[2] === "tests") {
  process.exitCode = compile("tsconfig.test.json", "build") ? 0 : 1;
  copyAssets("test");
} else {
  process.exitCode = compile("tsconfig.build.json", "dist") ? 0 : 1;
  if (process.exitCode === 0) makeExecutable();
}
