/** The directory in which a program finds its {@link Channel}s, by numbers. */

import type { FileStat, OpenOptions } from "../../wasi/host/file-system.ts";
import { HostError } from "../../wasi/host/host-error.ts";
import { VirtualDirectory, statOf } from "../../wasi/host/virtual-directory.ts";
import type { Channel } from "./channel.ts";

/** What the program calls it. */
export const CHANNELS = "/stackful";

export class ChannelDirectory extends VirtualDirectory {
  readonly #open: (number: number) => Channel | undefined;

  /** `open` is asked once for each number. */
  constructor(open: (number: number) => Channel | undefined) {
    super();
    this.#open = open;
  }

  open(name: string, { directory }: OpenOptions): Channel {
    if (directory) throw new HostError("ENOTDIR");
    const channel = this.#open(Number(name));
    if (channel === undefined) throw new HostError("ENOENT");
    return channel;
  }

  statEntry(name: string): FileStat {
    if (!/^\d+$/.test(name)) throw new HostError("ENOENT");
    return statOf("pipe");
  }
}
