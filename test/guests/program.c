/* A WASI command that does what its first argument says: each of them a way to block, to fail or to end. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void sleep_ms(long milliseconds) {
  struct timespec nap = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
  nanosleep(&nap, NULL);
}

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 1;
}

/* From one descriptor to another, until the end. */
static int copy(int from, int to) {
  char buffer[4096];
  for (ssize_t length; (length = read(from, buffer, sizeof buffer)) != 0;) {
    if (length < 0) return fail("read");
    for (ssize_t done = 0, step; done < length; done += step)
      if ((step = write(to, buffer + done, length - done)) < 0) return fail("write");
  }
  return 0;
}

static int print_file(const char *path) {
  int file = open(path, O_RDONLY);
  return file < 0 ? fail(path) : copy(file, 1);
}

static int write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  if (file == NULL) return fail(path);
  fputs(text, file);
  return fclose(file) == 0 ? 0 : fail(path);
}

static int list(const char *path) {
  DIR *directory = opendir(path);
  if (directory == NULL) return fail(path);
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) puts(entry->d_name);
  return 0;
}

/* Takes memory until there is no more. */
static int grow(void) {
  unsigned long mebibytes = 0;
  for (char *volatile taken; mebibytes < 4096 && (taken = malloc(1 << 20)) != NULL; mebibytes++) *taken = 1;
  printf("%lu\n", mebibytes);
  return 0;
}

/* Writes the same line for ever, whatever happens to it. */
static int flood(void) {
  for (;;) puts("the quick brown fox jumps over the lazy dog");
}

/* Echoes what one client after the other says, on the listening socket `descriptor`. */
static int serve(int descriptor, int clients) {
  while (clients-- > 0) {
    int connection = accept(descriptor, NULL, NULL);
    if (connection < 0) return fail("accept");
    if (copy(connection, connection) != 0) return 1;
    close(connection);
  }
  return 0;
}

/* Says a line to a server, and prints what it answers. */
static int call(const char *path, const char *line) {
  int connection = open(path, O_RDWR);
  if (connection < 0) return fail(path);
  if (write(connection, line, strlen(line)) < 0) return fail("write");
  shutdown(connection, SHUT_WR);
  return copy(connection, 1);
}

/* Never ends, and needs more stack at each level. */
__attribute__((noinline)) static int nest(int depth) {
  volatile char frame[1024];
  frame[0] = (char)(depth % 128);
  return frame[0] == depth % 128 ? nest(depth + 1) + frame[0] : 0;
}

__attribute__((noinline)) static void crash(void) { __builtin_trap(); }

static int run(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  const char *first = argc > 2 ? argv[2] : "";
  const char *second = argc > 3 ? argv[3] : "";
  if (strcmp(what, "args") == 0) for (int i = 0; i < argc; i++) puts(argv[i]);
  else if (strcmp(what, "env") == 0) for (char **entry = environ; *entry != NULL; entry++) puts(*entry);
  else if (strcmp(what, "cat") == 0) return copy(0, 1);
  else if (strcmp(what, "sleep") == 0) sleep_ms(atol(first));
  else if (strcmp(what, "exit") == 0) exit(atoi(first));
  else if (strcmp(what, "abort") == 0) abort();
  else if (strcmp(what, "raise") == 0) raise(atoi(first));
  else if (strcmp(what, "trap") == 0) crash();
  else if (strcmp(what, "late-trap") == 0) sleep_ms(10), crash();
  else if (strcmp(what, "nest") == 0) return nest(0);
  else if (strcmp(what, "spin") == 0) for (volatile int i = 0;; i++);
  else if (strcmp(what, "grow") == 0) return grow();
  else if (strcmp(what, "flood") == 0) return flood();
  else if (strcmp(what, "list") == 0) return list(first);
  else if (strcmp(what, "read") == 0) return print_file(first);
  else if (strcmp(what, "write") == 0) return write_file(first, second);
  else if (strcmp(what, "serve") == 0) return serve(atoi(first), atoi(second));
  else if (strcmp(what, "call") == 0) return call(first, second);
  else if (strcmp(what, "complain") == 0) fprintf(stderr, "%s\n", first);
  else return 2;
  return 0;
}

int main(int argc, char **argv) { return run(argc, argv); }
