/*
 * A program that waits, in the way that its first argument names, and says how long it took.
 *
 *   wasi-waits nanosleep 200      and abstime, realtime, usleep, sleep: milliseconds
 *   wasi-waits yield 100          gives way so many times
 *   wasi-waits poll 50            for standard input, at most so many milliseconds; then reads what is there; again until its end
 *   wasi-waits lines              numbers the lines of standard input
 *   wasi-waits nonblock           asks standard input again and again, without waiting, until its end
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long milliseconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static struct timespec timespec_of(long long ms) {
  struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  return time;
}

/* Until a time that the clock is to show. */
static int sleep_until(clockid_t clock, long long ms) {
  struct timespec now;
  clock_gettime(clock, &now);
  long long nanoseconds = now.tv_nsec + ms % 1000 * 1000000;
  struct timespec end = {.tv_sec = now.tv_sec + ms / 1000 + nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  return clock_nanosleep(clock, TIMER_ABSTIME, &end, NULL);
}

static int wait_for(const char *how, long long number) {
  struct timespec time = timespec_of(number);
  if (strcmp(how, "nanosleep") == 0) return nanosleep(&time, NULL);
  if (strcmp(how, "abstime") == 0) return sleep_until(CLOCK_MONOTONIC, number);
  if (strcmp(how, "realtime") == 0) return sleep_until(CLOCK_REALTIME, number);
  if (strcmp(how, "usleep") == 0) return usleep(number * 1000);
  if (strcmp(how, "sleep") == 0) return sleep(number / 1000);
  if (strcmp(how, "yield") != 0) return -1;
  for (long long i = 0; i < number; i++) sched_yield();
  return 0;
}

static int poll_input(int ms) {
  char bytes[256];
  for (;;) {
    struct pollfd input = {.fd = 0, .events = POLLIN};
    int ready = poll(&input, 1, ms);
    if (ready < 0) return 1;
    if (ready == 0) {
      printf("nothing\n");
    } else {
      ssize_t length = read(0, bytes, sizeof bytes);
      if (length <= 0) break;
      printf("read %.*s\n", (int)length, bytes);
    }
    fflush(stdout);
  }
  printf("end\n");
  return 0;
}

static int number_lines(void) {
  char line[4096];
  for (int number = 1; fgets(line, sizeof line, stdin) != NULL; number++) {
    line[strcspn(line, "\n")] = 0;
    printf("%d: %s\n", number, line);
    fflush(stdout);
  }
  return 0;
}

static int ask_again_and_again(void) {
  char bytes[256];
  size_t total = 0, in_vain = 0;
  fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
  for (;;) {
    ssize_t length = read(0, bytes, sizeof bytes);
    if (length == 0) break;
    if (length > 0) total += length;
    else if (errno == EAGAIN) in_vain++;
    else return 1;
  }
  printf("%zu bytes, %s\n", total, in_vain > 0 ? "asked in vain" : "at once");
  return 0;
}

int main(int count, char **arguments) {
  if (count < 2) return 2;
  const char *how = arguments[1];
  long long number = count < 3 ? 0 : atoll(arguments[2]);
  if (strcmp(how, "poll") == 0) return poll_input(number);
  if (strcmp(how, "lines") == 0) return number_lines();
  if (strcmp(how, "nonblock") == 0) return ask_again_and_again();
  long long start = milliseconds(CLOCK_MONOTONIC);
  if (wait_for(how, number) != 0) return 1;
  printf("%s took %lld ms\n", how, milliseconds(CLOCK_MONOTONIC) - start);
  return 0;
}
