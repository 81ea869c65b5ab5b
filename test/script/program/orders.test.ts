/** When a program is told that the host has no use for a function, and what becomes of references in what is never sent. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HostReferences } from "#src/script/host-references";
import { Orders } from "#src/script/program/orders";

function makeOrders(): { orders: Orders; told: number[]; references: HostReferences } {
  const references = new HostReferences();
  const told: number[] = [];
  const target = {
    fromScript: () => undefined,
    referenceOf: () => undefined,
    keepFunction: (callee: unknown) => references.keep(callee),
    hostFunction: (id: number) => references.get(id),
    keepError: (error: unknown) => references.keep(error),
    hostError: (id: number) => references.get(id),
  };
  return { orders: new Orders(references, target, (id) => told.push(id)), told, references };
}

describe("Orders.release()", () => {
  it("tells at once when nothing is on its way", () => {
    const { orders, told } = makeOrders();
    orders.write("v", 1).take();
    orders.release(7);
    assert.deepEqual(told, [7]);
  });

  it("waits for what was written before, and for nothing else", () => {
    const { orders, told } = makeOrders();
    const [first, second] = [orders.write("v", 1), orders.write("v", 2)];
    orders.release(7);
    const third = orders.write("v", 3);
    orders.release(8);
    second.take();
    assert.deepEqual(told, []);
    first.take();
    assert.deepEqual(told, [7]);
    third.take();
    assert.deepEqual(told, [7, 8]);
  });

  it("does not wait for what is dropped", () => {
    const { orders, told } = makeOrders();
    const order = orders.write("v", 1);
    orders.release(7);
    order.drop();
    assert.deepEqual(told, [7]);
  });
});

describe("Orders.write()", () => {
  it("keeps what the program will give back", () => {
    const { orders, references } = makeOrders();
    orders.write("v", [() => 1, new Error("no")]).take();
    assert.equal(references.size, 2);
  });

  it("keeps nothing of what is dropped, or cannot cross", () => {
    const { orders, references } = makeOrders();
    orders.write("v", [() => 1, new Error("no")]).drop();
    assert.throws(() => orders.write("v", [() => 1, Symbol("no")]), TypeError);
    assert.equal(references.size, 0);
  });
});
