/** `sock_*`: what only sockets do. A descriptor that is none says so before anything else is looked at: its rights, and what is asked of it. */

import { Errno } from "./errno.ts";
import { FD_FLAGS, RECEIVE_FLAGS } from "./layout.ts";
import { after, afterCall, requireWanted } from "./soon.ts";
import type { Syscall, Syscalls } from "./syscall.ts";

const ALL_RECEIVE_FLAGS = RECEIVE_FLAGS.peek | RECEIVE_FLAGS.waitall;

export const sockets: Syscalls = {
  sock_accept(call: Syscall, fd: number, flags: number, result: number) {
    const { program, memory } = call;
    const listener = program.descriptors.get(fd);
    if ((flags & ~FD_FLAGS.nonblock) !== 0) throw new Errno("EINVAL");
    memory.require(result, 4);
    // Before a connection is taken that would have to be closed again.
    program.descriptors.requireRoom();
    return after(listener.accept(flags, call), (connection) => {
      try {
        requireWanted(call);
        memory.setU32(result, program.descriptors.add(connection));
      } catch (error) {
        void connection.close();
        throw error;
      }
    });
  },

  sock_recv(
    call: Syscall,
    fd: number,
    vectors: number,
    count: number,
    flags: number,
    received: number,
    resultFlags: number,
  ) {
    const { program, memory } = call;
    const socket = program.descriptors.get(fd);
    if ((flags & ~ALL_RECEIVE_FLAGS) !== 0) throw new Errno("EINVAL");
    const into = memory.vectors(vectors, count);
    memory.require(received, 4);
    memory.require(resultFlags, 2);
    return afterCall(call, socket.receive(into, flags, call), (bytes) => {
      memory.setU32(received, bytes);
      // Streams have no messages that could be cut off.
      memory.setU16(resultFlags, 0);
    });
  },

  sock_send(call: Syscall, fd: number, vectors: number, count: number, flags: number, sent: number) {
    const { program, memory } = call;
    const socket = program.descriptors.get(fd);
    if (flags !== 0) throw new Errno("EINVAL");
    const from = memory.vectors(vectors, count);
    memory.require(sent, 4);
    return afterCall(call, socket.send(from, call), (bytes) => memory.setU32(sent, bytes));
  },

  sock_shutdown({ program }: Syscall, fd: number, how: number) {
    return program.descriptors.get(fd).shutdown(how);
  },
};
