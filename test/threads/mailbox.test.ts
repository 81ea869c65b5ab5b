/** Values that go through memory which threads share, and come out as they were. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { KIND } from "#src/threads/line";
import { Mailbox, makeMailboxMemory } from "#src/threads/mailbox";
import type { ValuePort } from "#src/threads/mailbox";
import { transfer } from "#src/threads/transfer";

const HEADER = { kind: KIND.call, id: 7, name: 3, depth: 1, owner: 9 };

/** Without a port: only what can be written into memory passes. */
function through(value: unknown): unknown {
  const mailbox = new Mailbox(makeMailboxMemory());
  assert.equal(mailbox.post(HEADER, value), true);
  return mailbox.take()?.value;
}

function nodePort(): ValuePort {
  const { port1, port2 } = new MessageChannel();
  return {
    post: (value, transfer) => port1.postMessage(value, transfer as never),
    receive: () => {
      const received = receiveMessageOnPort(port2);
      return received && { value: received.message };
    },
  };
}

const VALUES: Readonly<Record<string, unknown>> = {
  undefined,
  null: null,
  true: true,
  false: false,
  zero: 0,
  "minus zero": -0,
  "the smallest and largest integers": [-(2 ** 31), 2 ** 31 - 1, 2 ** 31, Number.MAX_SAFE_INTEGER],
  fractions: [0.1, -1.5e300, Number.MIN_VALUE, Infinity, -Infinity, NaN],
  bigints: [0n, -1n, 2n ** 64n, -(2n ** 70n), 2n ** 1000n],
  "an empty string": "",
  "a string of Latin letters": "Grüße",
  "a string of other letters": "привет 世界 🎉",
  "a long string": "abcdefghij".repeat(1000),
  "a long string of other letters": "ж世🎉".repeat(30_000),
  "lone surrogates": ["\ud800", `${"x".repeat(100)}\udc00`, "\udc00\ud800"],
  "a byte order mark": `\ufeff${"x".repeat(100)}`,
  "an array": [1, "two", [3, [4]], undefined, null],
  "an object": { a: 1, b: { c: [] }, "": 2, ключ: 3 },
  "an object with a key of its prototype": JSON.parse('{"__proto__": {"x": 1}, "constructor": 2, "hasOwnProperty": 3}'),
  "a map and a set": [
    new Map<unknown, unknown>([
      ["a", 1],
      [{ b: 1 }, new Set([1, "2"])],
    ]),
    new Set([new Map()]),
  ],
  dates: [new Date(0), new Date(-1.5e15)],
  bytes: [
    new Uint8Array([1, 2, 255]),
    new ArrayBuffer(3),
    new Float64Array([0.5, -0]),
    new DataView(new ArrayBuffer(2)),
    new BigInt64Array([-1n]),
  ],
  "many bytes": new Uint8Array(1_000_000).fill(7),
};

describe("A mailbox", () => {
  for (const [name, value] of Object.entries(VALUES)) {
    it(`passes ${name}`, () => assert.deepEqual(through(value), value));
  }

  it("passes a date that is none", () => assert.ok(Number.isNaN((through(new Date(NaN)) as Date).getTime())));

  it("passes bytes wherever they come to lie", () => {
    for (let length = 0; length < 20; length++) {
      const value = ["x".repeat(length), new Uint8Array([1, 2, 3]), length, new Float64Array([0.5])];
      assert.deepEqual(through(value), value);
    }
  });

  it("passes a part of a buffer without the rest of it", () => {
    const bytes = through(new Uint8Array(new ArrayBuffer(100), 10, 4)) as Uint8Array;
    assert.deepEqual([bytes.length, bytes.buffer.byteLength], [4, 4]);
  });

  it("keeps what is the same the same, also in a circle", () => {
    const shared = { x: 1 };
    const value: Record<string, unknown> = { first: shared, second: shared, list: [shared] };
    value["self"] = value;
    const passed = through(value) as typeof value;
    assert.equal(passed["first"], passed["second"]);
    assert.equal((passed["list"] as unknown[])[0], passed["first"]);
    assert.equal(passed["self"], passed);
  });

  it("passes errors with all that they have", () => {
    class OwnError extends RangeError {
      code = 42;
      details = { path: "/x" };
      override get name(): string {
        return "OwnError";
      }
    }
    const error = new OwnError("too much", { cause: new TypeError("inner") });
    const passed = through(error) as OwnError;
    assert.ok(passed instanceof RangeError);
    assert.deepEqual(
      [passed.name, passed.message, passed.stack, passed.code, passed.details],
      [error.name, error.message, error.stack, error.code, error.details],
    );
    assert.ok(passed.cause instanceof TypeError);
    assert.equal(passed.cause.message, "inner");
    assert.deepEqual(Object.keys(passed), ["code", "details"]);
  });

  it("passes errors of the platform, of many errors, and that are their own cause", () => {
    const abort = through(new DOMException("stopped", "AbortError")) as DOMException;
    assert.ok(abort instanceof DOMException);
    assert.deepEqual([abort.name, abort.message], ["AbortError", "stopped"]);
    const many = through(new AggregateError([new Error("a"), 2], "both")) as AggregateError;
    assert.ok(many instanceof AggregateError);
    assert.deepEqual([(many.errors[0] as Error).message, many.errors[1]], ["a", 2]);
    const own = new Error("own");
    own.cause = own;
    const passed = through(own) as Error;
    assert.equal(passed.cause, passed);
  });

  it("leaves to the platform what it cannot write: holes, classes, shared memory, other objects", () => {
    const holes: number[] = [];
    holes[2] = 1;
    for (const value of [holes, /x/g, new SharedArrayBuffer(4), Object.assign([1], { extra: 2 }), Object(1)]) {
      assert.throws(() => through(value), { name: "DataCloneError" });
      const mailbox = new Mailbox(makeMailboxMemory(), { port: nodePort() });
      mailbox.post(HEADER, value);
      assert.deepEqual(mailbox.take()?.value, value);
    }
  });

  it("passes large values like a structured clone, and leaves them as they are", () => {
    const count = 100_000;
    const buffer = new ArrayBuffer(8 * count);
    const bytes = new Uint8Array(buffer).map((_, index) => index);
    class Own extends Uint8Array {}
    // TypeScript is told of no second parameter.
    const resizable = Reflect.construct(ArrayBuffer, [count, { maxByteLength: 2 * count }]) as ArrayBuffer;
    const getter = Object.defineProperty([1, "x".repeat(count)], 0, { get: () => bytes, enumerable: true });
    const values: unknown[] = [
      "x".repeat(count),
      "ж".repeat(count),
      [`${"x".repeat(count)}\ud800`, 1, undefined, null, 2n],
      bytes,
      bytes.buffer,
      [bytes, bytes, bytes.buffer, new Float64Array(bytes.buffer, 8, 10)],
      [new DataView(bytes.buffer, 3, 70_000), new BigInt64Array(bytes.buffer, 16), "beside"],
      new Own(bytes),
      Buffer.from("x".repeat(count)),
      [new Uint8Array(resizable), new Uint8Array(new SharedArrayBuffer(count))],
      Object.assign([bytes], { extra: 1 }),
      Object.assign([], { 3: bytes }),
      [{ bytes }, new Map([[1, bytes]])],
      getter,
    ];
    for (const [position, value] of values.entries()) {
      const mailbox = new Mailbox(makeMailboxMemory(), { port: nodePort() });
      assert.equal(mailbox.post(HEADER, value), true);
      const passed = mailbox.take()?.value;
      assert.deepEqual(passed, structuredClone(value), `value ${position}`);
    }
    assert.equal(bytes[255], 255);
    const mailbox = new Mailbox(makeMailboxMemory(), { port: nodePort() });
    mailbox.post(HEADER, [bytes, new Float64Array(bytes.buffer), bytes]);
    const message = mailbox.take()!;
    const [first, second, third] = message.value as [Uint8Array, Float64Array, Uint8Array];
    assert.equal(first.buffer, second.buffer);
    assert.equal(first, third);
  });

  it("asks classes of users nothing when it passes large values", () => {
    const bytes = new Uint8Array(100_000).fill(3);
    class Liar extends Uint8Array {
      override get length(): number {
        return 5;
      }
      override get [Symbol.toStringTag](): "Uint8Array" {
        return "Float64Array" as "Uint8Array";
      }
      override get buffer(): ArrayBuffer {
        throw new Error("asked");
      }
    }
    class List extends Array<unknown> {
      override map(): never {
        throw new Error("asked");
      }
    }
    const passed = (value: unknown): unknown => {
      const mailbox = new Mailbox(makeMailboxMemory(), { port: nodePort() });
      mailbox.post(HEADER, value);
      return mailbox.take()?.value;
    };
    assert.deepEqual(passed(new Liar(bytes)), bytes);
    assert.deepEqual(passed(List.from([bytes, "x"])), [bytes, "x"]);
    const hole = Object.assign([bytes], { extra: 1 });
    hole.length = 2;
    assert.deepEqual(passed(hole), structuredClone(hole));
    const small = Object.assign([1], { extra: 1 });
    small.length = 2;
    assert.deepEqual(passed(small), structuredClone(small));
    let asked = 0;
    const getter = Object.defineProperty([1, "x".repeat(100_000)], 0, { get: () => ++asked, enumerable: true });
    assert.deepEqual(passed(getter), [asked, "x".repeat(100_000)]);
  });

  it("keeps a message apart from one that its getter has written and taken back", () => {
    const mailbox = new Mailbox(makeMailboxMemory(), { port: nodePort() });
    const value = {
      first: /x/,
      get second() {
        assert.equal(mailbox.isWriting, true);
        assert.equal(mailbox.post(HEADER, /taken back/), true);
        mailbox.withdraw();
        return 2;
      },
    };
    mailbox.post(HEADER, value);
    assert.deepEqual(mailbox.take()?.value, { first: /x/, second: 2 });
    assert.equal(mailbox.isWriting, false);
  });

  it("moves bytes without a port, and nothing else", () => {
    const mailbox = new Mailbox(makeMailboxMemory());
    const bytes = new Uint8Array([1, 2]);
    mailbox.post(HEADER, transfer(bytes, [bytes.buffer, bytes.buffer]));
    assert.deepEqual(mailbox.take()?.value, new Uint8Array([1, 2]));
    assert.equal(bytes.length, 0);
    const { port1, port2 } = new MessageChannel();
    const kept = new Uint8Array(1);
    const objects = [kept.buffer, port1 as unknown as Transferable];
    assert.throws(() => mailbox.post(HEADER, transfer(kept, objects)), { name: "DataCloneError" });
    assert.equal(kept.length, 1);
    port2.close();
  });

  it("rings when something comes, and before it takes long to write", () => {
    const memory = makeMailboxMemory();
    const states: boolean[] = [];
    const port = nodePort();
    const reader = new Mailbox(memory, { port });
    const writer = new Mailbox(memory, {
      port,
      ring: () => states.push(reader.hasMessage, reader.isMessageComing),
    });
    writer.post(HEADER, 1);
    assert.deepEqual(states.splice(0), [true, true]);
    assert.equal(reader.take()?.value, 1);
    writer.post(HEADER, "x".repeat(100_000));
    assert.deepEqual(states.splice(0), [false, true]);
    assert.equal(reader.take()?.value, "x".repeat(100_000));
    assert.throws(() => writer.post(HEADER, ["x".repeat(100_000), () => {}]), { name: "DataCloneError" });
    assert.equal(reader.isMessageComing, false);
    reader.setWatched(true);
    states.length = 0;
    writer.post(HEADER, 2);
    writer.withdraw();
    writer.post(HEADER, "y".repeat(100_000));
    assert.deepEqual(states, []);
    assert.equal(reader.take()?.value, "y".repeat(100_000));
  });

  it("is as it was after a value that nobody can clone", () => {
    const mailbox = new Mailbox(makeMailboxMemory(), { port: nodePort() });
    assert.throws(() => mailbox.post(HEADER, { f: () => {} }), { name: "DataCloneError" });
    assert.equal(mailbox.hasMessage, false);
    mailbox.post(HEADER, 1);
    assert.deepEqual(mailbox.take(), { ...HEADER, value: 1 });
  });

  it("has room for one message, which can be taken back", () => {
    const mailbox = new Mailbox(makeMailboxMemory(), { port: nodePort() });
    assert.equal(mailbox.post(HEADER, /first/), true);
    assert.equal(mailbox.post(HEADER, "second"), false);
    mailbox.withdraw();
    assert.equal(mailbox.take(), undefined);
    mailbox.post({ ...HEADER, id: 8 }, /third/);
    assert.deepEqual(mailbox.take(), { ...HEADER, id: 8, value: /third/ });
  });

  it("passes random values like a structured clone", () => {
    let seed = 1;
    const random = (limit: number): number => (seed = (seed * 48_271) % 0x7fffffff) % limit;
    const makeLeaf = (kind: number): unknown => {
      if (kind < 2) return random(2) === 0 ? random(1000) - 500 : random(1e9) / 7;
      if (kind === 2) return String.fromCodePoint(...Array.from({ length: random(80) }, () => random(0x10000)));
      if (kind === 3) return [true, false, null, undefined][random(4)];
      if (kind === 4) return BigInt(random(1e9)) ** BigInt(random(6)) * (random(2) === 0 ? 1n : -1n);
      return new Uint8Array(random(300)).fill(random(256));
    };
    const make = (depth: number): unknown => {
      const kind = random(depth > 4 ? 6 : 10);
      const some = <Value>(makeOne: (index: number) => Value): Value[] =>
        Array.from({ length: random(6) }, (_, index) => makeOne(index));
      if (kind < 6) return makeLeaf(kind);
      if (kind === 6) return new Map(some(() => [make(depth + 1), make(depth + 1)]));
      if (kind === 7) return new Set(some(() => make(depth + 1)));
      return kind === 8
        ? Object.fromEntries(some((index) => [`k${index}`, make(depth + 1)]))
        : some(() => make(depth + 1));
    };
    for (let round = 0; round < 500; round++) {
      const value = make(0);
      assert.deepEqual(through(value), structuredClone(value));
    }
  });
});
