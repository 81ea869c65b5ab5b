/** The directory in which a program finds its {@link Channel}s, by numbers. */

import type { FileStat, OpenOptions } from "../../wasi/host/file-system.ts";
import { HostError } from "../../wasi/host/host-error.ts";
import { VirtualDirectory, statOf } from "../../wasi/host/virtual-directory.ts";
import type { Channel } from "./channel.ts";

/** What the program calls it. */
export const CHANNELS = "/stackful";

export class ChannelDirectory extends VirtualDirectory {
  readonly #open: (number: number) => Channel | undefined;
  readonly #opened = new Set<string>();

  /** `open` is asked once for each number: scripts are not to open them again. */
  constructor(open: (number: number) => Channel | undefined) {
    super();
    this.#open = open;
  }

  open(name: string, { directory }: OpenOptions): Channel {
    if (directory) throw new HostError("ENOTDIR");
    this.statEntry(name);
    const channel = this.#opened.has(name) ? undefined : this.#open(Number(name));
    if (channel === undefined) throw new HostError("EACCES");
    this.#opened.add(name);
    return channel;
  }

  statEntry(name: string): FileStat {
    if (!/^(0|[1-9]\d*)$/.test(name)) throw new HostError("ENOENT");
    return statOf("pipe");
  }
}
