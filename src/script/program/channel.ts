/** A file of a program that is a conversation with its host: it writes reports, and reading waits for orders. */

import type { OpenStream } from "../../wasi/host/file-system.ts";
import type { InputStream, OutputStream } from "../../wasi/host/stream.ts";
import { statOf } from "../../wasi/host/virtual-directory.ts";
import { FrameReader } from "./frame.ts";
import type { Frame } from "./frame.ts";

export interface ChannelListener {
  /** Called while the program writes: what is sent at once is there when it reads, and costs no suspension. */
  onFrame(frame: Frame): void;
  /** The program waits for an order, and there is none. */
  onWait(): void;
}

export class Channel implements OpenStream {
  readonly kind = "stream";
  readonly input: InputStream;
  readonly output: OutputStream;
  readonly #frames: Uint8Array[] = [];
  readonly #reader = new FrameReader();
  #waiting: ((frame: Uint8Array) => void) | undefined;

  constructor(listener: ChannelListener) {
    this.input = {
      // Not more than one frame at a time: what is behind it is for whoever reads next.
      read: () => this.#frames.shift() ?? this.#wait(listener),
    };
    this.output = {
      write: (bytes) => {
        for (const frame of this.#reader.read(bytes)) listener.onFrame(frame);
      },
    };
  }

  send(frame: Uint8Array): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#frames.push(frame);
    else waiting(frame);
  }

  stat(): ReturnType<typeof statOf> {
    return statOf("pipe");
  }

  close(): void {}

  #wait(listener: ChannelListener): Promise<Uint8Array> {
    const next = new Promise<Uint8Array>((resolve) => (this.#waiting = resolve));
    listener.onWait();
    return next;
  }
}
