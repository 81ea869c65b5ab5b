/** Where the command keeps what it has compiled. */

import { homedir } from "node:os";
import path from "node:path";

/** `STACKFUL_CACHE_DIR`, or where the platform has caches. */
export function cacheDirectory(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  platform: string = process.platform,
): string {
  const { STACKFUL_CACHE_DIR: chosen, XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = environment;
  if (chosen !== undefined && chosen !== "") return chosen;
  if (xdg !== undefined && path.isAbsolute(xdg)) return path.join(xdg, "stackful");
  if (platform === "darwin") return path.join(homedir(), "Library", "Caches", "stackful");
  if (platform === "win32") return path.join(local ?? path.join(homedir(), "AppData", "Local"), "stackful", "cache");
  return path.join(homedir(), ".cache", "stackful");
}
