/** Reads and writes what the arguments name: files, or with `-` the standard streams. */

import { lstat, readFile, rename, rm, writeFile } from "node:fs/promises";
import { CommandError } from "./command.ts";

/** @throws {CommandError} when it cannot be read */
export async function readInput(file: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return file === "-" ? await readStandardInput() : Uint8Array.from(await readFile(file));
  } catch (error) {
    throw new CommandError(`cannot read '${file}': ${reasonOf(error)}`, undefined, { cause: error });
  }
}

/**
 * Either all of it is there afterwards, or the file is as it was.
 *
 * @throws {CommandError} when it cannot be written
 */
export async function writeOutput(file: string, bytes: Uint8Array): Promise<void> {
  if (file === "-") {
    await write(process.stdout, bytes);
    return;
  }
  try {
    if (await isReplaceable(file)) await replaceFile(file, bytes);
    else await writeFile(file, bytes);
  } catch (error) {
    throw new CommandError(`cannot write '${file}': ${reasonOf(error)}`, undefined, { cause: error });
  }
}

/** Rejects when the reader has gone. */
export function writeText(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return write(stream, text);
}

/** Whether a write failed because nobody reads any more. */
export function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED");
}

function write(stream: NodeJS.WriteStream, data: string | Uint8Array): Promise<void> {
  return new Promise((done, failed) => {
    stream.write(data, (error) => (error ? failed(error) : done()));
  });
}

async function readStandardInput(): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Uint8Array.from(Buffer.concat(chunks));
}

/** Devices, pipes and links are written to, not replaced. */
async function isReplaceable(file: string): Promise<boolean> {
  try {
    return (await lstat(file)).isFile();
  } catch {
    return true;
  }
}

async function replaceFile(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, bytes, { flag: "wx" });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EISDIR: "is a directory",
  ENOTDIR: "a part of the path is not a directory",
  ENOSPC: "no space left on the device",
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "address not available",
  EROFS: "read-only file system",
  ENOTFOUND: "no such host",
};

/** For people, without the path. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  return REASONS[code] ?? error.message;
}
