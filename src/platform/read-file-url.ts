/** Files by their URL, where there are any. Node's `fetch` refuses them. */

interface FileSystem {
  readFile(file: URL): Promise<Uint8Array>;
}

/** `undefined` where there is no file system. */
export async function readFileUrl(url: URL): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => FileSystem | undefined } };
  const files = process?.getBuiltinModule?.("node:fs/promises");
  return files && Uint8Array.from(await files.readFile(url));
}
