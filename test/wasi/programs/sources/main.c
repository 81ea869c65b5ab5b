/* What a blocking C program does: `sleep`, `input`, `files`, `setjmp`, `poll`, `abort` and `exit`, one per run. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static int until(double end) { return now() >= end; }

static int test_sleep(void) {
  double start = now();
  usleep(50000);
  printf("usleep %d\n", until(start + 0.05));
  nanosleep(&(struct timespec){0, 50000000}, NULL);
  printf("nanosleep %d\n", until(start + 0.1));
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_nsec += 50000000;
  if (end.tv_nsec >= 1000000000) end.tv_sec++, end.tv_nsec -= 1000000000;
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
  printf("clock_nanosleep %d\n", until(start + 0.15));
  clock_gettime(CLOCK_REALTIME, &end);
  clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &end, NULL);
  printf("select %d\n", select(0, NULL, NULL, NULL, &(struct timeval){0, 50000}));
  printf("all %d\n", until(start + 0.2));
  return 0;
}

static int test_input(void) {
  char line[100];
  while (fgets(line, sizeof line, stdin)) printf("%zu %s", strlen(line), line);
  printf("end %d\n", feof(stdin));
  return 0;
}

static int test_poll(void) {
  struct pollfd input = {0, POLLIN, 0};
  printf("nothing yet %d\n", poll(&input, 1, 20));
  printf("ready %d", poll(&input, 1, 1000));
  char bytes[10];
  printf(" with %zd\n", read(0, bytes, sizeof bytes));
  fd_set set;
  FD_ZERO(&set);
  FD_SET(0, &set);
  printf("select %d", select(1, &set, NULL, NULL, &(struct timeval){1, 0}));
  printf(" with %zd\n", read(0, bytes, sizeof bytes));
  return 0;
}

static jmp_buf target;

static void jump(int depth) {
  usleep(1000);
  if (depth == 0) longjmp(target, 7);
  jump(depth - 1);
}

static int test_setjmp(void) {
  volatile int rounds = 0;
  int value = setjmp(target);
  if (value == 7 && ++rounds == 3) return printf("%d rounds\n", rounds) < 0;
  jump(10);
  return 1;
}

static void attempt(const char *what, int result) { printf("%s: %s\n", what, result < 0 ? strerror(errno) : "done"); }

static int test_files(void) {
  mkdir("/work/d", 0777);
  FILE *file = fopen("/work/d/a.txt", "w+");
  for (int i = 0; i < 1000; i++) fprintf(file, "line %d\n", i);
  fseek(file, 5, SEEK_SET);
  fputs("X", file);
  fclose(file);
  rename("/work/d/a.txt", "/work/b.txt");
  symlink("b.txt", "/work/link");
  struct stat status;
  stat("/work/link", &status);
  printf("%lld bytes\n", (long long)status.st_size);
  int entries = 0;
  DIR *directory = opendir("/work");
  while (readdir(directory)) entries++;
  closedir(directory);
  printf("%d entries\n", entries);
  attempt("missing", open("/work/missing", O_RDONLY));
  attempt("exists", open("/work/b.txt", O_CREAT | O_EXCL | O_WRONLY, 0666));
  attempt("write to directory", open("/work/d", O_WRONLY));
  attempt("remove file as directory", rmdir("/work/b.txt"));
  attempt("through a file", open("/work/b.txt/x", O_RDONLY));
  attempt("not given", open("/etc/passwd", O_RDONLY));
  attempt("above", open("/work/../../etc/passwd", O_RDONLY));
  attempt("read-only", open("/fixed/new", O_CREAT | O_WRONLY, 0666));
  attempt("truncate", truncate("/work/b.txt", 4));
  attempt("rmdir", rmdir("/work/d"));
  return 0;
}

int main(int count, char **arguments) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char *test = count > 1 ? arguments[1] : "";
  if (strcmp(test, "sleep") == 0) return test_sleep();
  if (strcmp(test, "input") == 0) return test_input();
  if (strcmp(test, "poll") == 0) return test_poll();
  if (strcmp(test, "setjmp") == 0) return test_setjmp();
  if (strcmp(test, "files") == 0) return test_files();
  printf("%s %s\n", getenv("NAME"), getenv("PATH"));
  usleep(20000);
  exit(count);
}
