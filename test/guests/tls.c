/*
 * One global for "the current user", as errno or a thread-local is: right in one thread of
 * control, wrong as soon as another activation runs between the write and the read. Hooks that
 * run when an activation is entered and left save and restore it (see `get_user`, `set_user`, or
 * the word at `user_address`).
 */
#include "host.h"

HOST(wait) int host_wait(int id);

static int current_user;

EXPORT(get_user) int get_user(void) { return current_user; }
EXPORT(set_user) void set_user(int user) { current_user = user; }
EXPORT(user_address) int *user_address(void) { return &current_user; }

/* Logs in, waits, returns who is logged in now: `user` if every activation has its own global. */
EXPORT(handle) int handle(int user) {
  current_user = user;
  host_wait(user);
  return current_user;
}

/* Waits `times` times; returns how often it found another user than its own. */
EXPORT(handle_many) int handle_many(int user, int times) {
  int wrong = 0;
  current_user = user;
  for (int i = 0; i < times; i++) {
    host_wait(user);
    if (current_user != user) {
      wrong++;
      current_user = user;
    }
  }
  return wrong;
}
