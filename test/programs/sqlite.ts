/** SQLite, a reactor built by Emscripten: each access to a file, lock or clock is a call of the host. */

import crypto from "node:crypto";
import { createRequire } from "node:module";
import path from "node:path";
import type { Load } from "./guest.ts";
import { evaluate, steadyGlobals, substituteWebAssembly } from "./glue.ts";
import type { Observation } from "./observation.ts";
import type { Program } from "./program.ts";
import { SteadyFiles } from "./steady-files.ts";

/** What is used here of the package. */
interface Database {
  exec(sql: string): void;
  run(sql: string, values?: unknown): { changes: number };
  all(sql: string, values?: unknown): unknown[];
  prepare(sql: string): {
    run(values: unknown): unknown;
    iterate(values?: unknown): Iterable<unknown>;
    finalize(): void;
  };
  function(name: string, body: (...values: never[]) => unknown): void;
  close(): void;
}
interface Package {
  readonly Database: new (file: string) => Database;
}

type Script = (database: Database, print: (value: unknown) => void, open: (name: string) => Database) => void;

function session(script: Script) {
  return async (load: Load): Promise<Observation> => {
    const files = new SteadyFiles();
    const steady = steadyGlobals();
    const real = createRequire(import.meta.url);
    let memory: WebAssembly.Memory | undefined;
    const capture: Load = (imports) => {
      const instance = load(imports);
      memory = Object.values(instance.exports).find((value) => value instanceof WebAssembly.Memory);
      return instance;
    };
    const replaced: Record<string, unknown> = {
      "node:fs": { ...files.fs, readFileSync: real("node:fs").readFileSync },
      "node:crypto": { ...crypto, ...(steady["crypto"] as object) },
    };
    const { Database } = evaluate("node-sqlite3-wasm/dist/node-sqlite3-wasm.js", {
      ...steady,
      require: (name: string): unknown => replaced[name] ?? real(name),
      WebAssembly: substituteWebAssembly(capture),
    }) as unknown as Package;
    let stdout = "";
    const toText = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}n` : value);
    const print = (value: unknown): void => void (stdout += `${JSON.stringify(value, toText)}\n`);
    await new Promise(setImmediate); // its glue is ready a few microtasks later
    const open = (name: string): Database => new Database(path.join(files.folder, name));
    const database = open("main.db");
    script(database, print, open);
    database.close();
    return { exitCode: 0, stdout, stderr: "", files: files.finish(), memory: memory! };
  };
}

const queries: Script = (database, print) => {
  database.exec(
    "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, price REAL, kind INTEGER, data BLOB)",
  );
  const insert = database.prepare("INSERT INTO items (name, price, kind, data) VALUES (?, ?, ?, ?)");
  database.exec("BEGIN");
  for (let index = 0; index < 1500; index++) {
    insert.run([`item ${(index * 7919) % 1501}`, index / 7, index % 13, new Uint8Array(index % 40).fill(index)]);
  }
  database.exec("COMMIT");
  insert.finalize();
  print(
    database.all(
      "SELECT kind, count(*), avg(price), max(name) FROM items GROUP BY kind HAVING count(*) > 3 ORDER BY 3 DESC",
    ),
  );
  print(
    database.all(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) SELECT sum(i), group_concat(i) FROM n",
    ),
  );
  database.exec("CREATE INDEX by_kind ON items (kind, price); ANALYZE");
  print(database.all("EXPLAIN QUERY PLAN SELECT * FROM items WHERE kind = 5 AND price > 20"));
  print(
    database.all(
      "SELECT a.id, b.name FROM items a JOIN items b ON a.kind = b.kind AND b.id = a.id + 13 WHERE a.price < 20 ORDER BY b.name LIMIT 20",
    ),
  );
  print(
    database.all(
      "SELECT row_number() OVER (PARTITION BY kind ORDER BY price DESC) AS r, name FROM items WHERE kind < 3 LIMIT 30",
    ),
  );
  print(database.all("SELECT json_group_array(json_object('id', id, 'name', name)) FROM items WHERE id < 20"));
  print(database.run("UPDATE items SET price = price * 1.1 WHERE kind = ?", [4]));
  print(database.run("DELETE FROM items WHERE id % 3 = 0"));
  database.exec("VACUUM");
  print(database.all("PRAGMA integrity_check"));
};

const callbacks: Script = (database, print, open) => {
  const seen: unknown[] = [];
  database.function("twice", (value: number) => {
    seen.push(value);
    return value * 2;
  });
  database.function("nested", (sql: string) => JSON.stringify(database.all(sql)));
  database.function("fails", () => {
    throw new Error("from the host");
  });
  const attempt = (sql: string): void => {
    try {
      print(database.all(sql));
    } catch (error) {
      print(String(error));
    }
  };
  database.exec("CREATE TABLE t (x INTEGER PRIMARY KEY, y CHECK (y < 100)); CREATE TABLE log (text)");
  database.exec(
    "CREATE TRIGGER after_insert AFTER INSERT ON t BEGIN INSERT INTO log VALUES (nested('SELECT count(*) FROM t') || twice(new.y)); END",
  );
  for (let index = 0; index < 30; index++) attempt(`INSERT INTO t VALUES (${index % 25}, ${index * 4})`);
  attempt("SELECT * FROM log");
  attempt("SELECT twice(y) FROM t WHERE twice(x) > 10 ORDER BY twice(-y)");
  attempt("SELECT fails() FROM t");
  attempt("SELECT nested('SELECT nested(''SELECT twice(21)'')')");
  attempt("this is no SQL");
  database.exec("SAVEPOINT a; DELETE FROM t; ROLLBACK TO a; RELEASE a");
  const other = open("main.db");
  database.exec("BEGIN EXCLUSIVE");
  try {
    other.exec("DELETE FROM t WHERE x = 7");
  } catch (error) {
    print(String(error));
  }
  database.exec("ROLLBACK");
  other.exec("DELETE FROM t WHERE x = 7");
  other.close();
  attempt("SELECT count(*) FROM t");
  const rows = database.prepare("SELECT x, y FROM t");
  for (const row of rows.iterate()) {
    print(row);
    if (JSON.stringify(row).includes("40")) break;
  }
  rows.finalize();
  print(seen);
};

export const program: Program = {
  name: "sqlite",
  wasm: "node-sqlite3-wasm/dist/node-sqlite3-wasm.wasm",
  cases: { queries: session(queries), "functions, triggers and errors": session(callbacks) },
};
