/* Executes the statements that it reads, as soon as they are complete; sleep(milliseconds) is a function of SQL. */
#include "sqlite3.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void sleep_in_sql(sqlite3_context *context, int count, sqlite3_value **values) {
  int milliseconds = sqlite3_value_int(values[0]);
  usleep(milliseconds * 1000);
  sqlite3_result_int(context, milliseconds);
}

static int print_row(void *unused, int columns, char **values, char **names) {
  for (int i = 0; i < columns; i++) printf(i > 0 ? "|%s" : "%s", values[i] ? values[i] : "");
  putchar('\n');
  fflush(stdout);
  return 0;
}

int main(int count, char **arguments) {
  sqlite3 *database;
  if (sqlite3_open(arguments[1], &database) != SQLITE_OK) {
    fprintf(stderr, "%s\n", sqlite3_errmsg(database));
    return 1;
  }
  sqlite3_create_function(database, "sleep", 1, SQLITE_UTF8, NULL, sleep_in_sql, NULL, NULL);
  char statements[4096] = "";
  char line[1024];
  while (fgets(line, sizeof line, stdin)) {
    strncat(statements, line, sizeof statements - strlen(statements) - 1);
    if (!sqlite3_complete(statements)) continue;
    char *message = NULL;
    if (sqlite3_exec(database, statements, print_row, NULL, &message) != SQLITE_OK) fprintf(stderr, "%s\n", message);
    statements[0] = 0;
  }
  return sqlite3_close(database) == SQLITE_OK ? 0 : 2;
}
