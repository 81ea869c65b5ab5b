/** A customer's script reads as straight-line code; the three functions that it calls take their time, and nothing waits for it but itself. */
import { setTimeout as sleep } from "node:timers/promises";
import { ScriptEngine } from "stackful/script";
import { quickjs } from "stackful/script/quickjs";

await using engine = await ScriptEngine.create(quickjs(), { print: (line) => console.log(line) });

engine.register("orders.list", async (customer: string) => {
  await sleep(20);
  return [`${customer}-1`, `${customer}-2`, `${customer}-3`];
});
engine.register("orders.total", async (order: string) => {
  await sleep(5);
  if (order.endsWith("-2")) throw new RangeError(`${order} was cancelled`);
  return order.length * 100;
});
engine.register("mail.send", async (to: string, text: string) => `${to}: ${text}`);

await engine.eval(`
  function remind(customer) {
    const due = orders.list(customer).map((order) => {
      try { return { order, total: orders.total(order) }; }
      catch (error) { print(error.message); return { order, total: 0 }; }
    });
    due.sort((a, b) => orders.list(customer).indexOf(b.order) - orders.list(customer).indexOf(a.order)); // waits in a comparator
    return mail.send(customer, due.map(({ order, total }) => order + " " + total).join(", "));
  }
`);

// Both are under way at once, in one engine.
console.log(await Promise.all([engine.call("remind", "ada"), engine.call("remind", "grace")]));

// Output:
// ada-2 was cancelled
// grace-2 was cancelled
// [
//   'ada: ada-3 500, ada-2 0, ada-1 500',
//   'grace: grace-3 700, grace-2 0, grace-1 700'
// ]
