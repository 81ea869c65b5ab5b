/** SQLite, compiled here from the sources that the package `better-sqlite3` brings, with a main program that reads SQL. */

import { clang, installedSources, source } from "./toolchains.ts";
import type { WasiProgram } from "./program.ts";

const FLAGS = ["THREADSAFE=0", "OMIT_LOAD_EXTENSION", "OMIT_WAL", "OMIT_DEPRECATED", "DEFAULT_MEMSTATUS=0"];

export const program: WasiProgram = {
  name: "sqlite",
  module: () =>
    clang(
      { ...installedSources("better-sqlite3/deps/sqlite3", ["sqlite3.c", "sqlite3.h"]), "main.c": source("sqlite.c") },
      ...["-w", ...FLAGS.map((flag) => `-DSQLITE_${flag}`)],
    ),
  cases: {
    "statements as they are typed": {
      args: ["sqlite", "/work/test.db"],
      stdin: [
        "create table t(id integer primary key, name text); insert into t(name) values('a'),('b'),('c');\n",
        100,
        "begin; update t set name = name || id; rollback;\nselect id, na",
        100,
        "me from t order by id desc;\nselect sleep(50), count(*) from t;\nselect * from missing;\n",
        "with recursive n(x) as (select 1 union all select x + 1 from n where x < 3000) insert into t(name) select printf('row %d', x) from n;\n",
        "select count(*), sum(length(name)) from t; pragma integrity_check; vacuum;\n",
      ],
      stdout: "3|c\n2|b\n1|a\n50|3\n3003|22896\nok\n",
      stderr: "no such table: missing\n",
      filesAfter: { "test.db": /^SQLite format 3\0/ },
      waits: 240,
    },
    "a database that cannot be opened": {
      args: ["sqlite", "/elsewhere/test.db"],
      stdout: "",
      stderr: "unable to open database file\n",
      exitCode: 1,
    },
  },
};
