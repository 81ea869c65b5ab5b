// One test for each thing that POSIX threads have, chosen by the first argument; each prints a line that the tests know.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define CHECK(call) do { int error = (call); if (error) { printf("%s: %s\n", #call, strerror(error)); exit(1); } } while (0)

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long total;

static pthread_t start(void *(*body)(void *), void *argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 16384);
  pthread_t thread;
  CHECK(pthread_create(&thread, &attributes, body, argument));
  return thread;
}

// mutex <threads> <rounds>: all of them add to one number, and give way while they have the lock.
static void *add(void *rounds) {
  for (long i = 0; i < (long)rounds; i++) {
    pthread_mutex_lock(&mutex);
    long before = total;
    if (i % 4 == 0) sched_yield();
    total = before + 1;
    pthread_mutex_unlock(&mutex);
  }
  return rounds;
}

static void test_mutex(long threads, long rounds) {
  pthread_t *all = malloc(threads * sizeof *all);
  long joined = 0;
  for (long i = 0; i < threads; i++) all[i] = start(add, (void *)rounds);
  for (long i = 0; i < threads; i++) {
    void *result;
    CHECK(pthread_join(all[i], &result));
    joined += (long)result;
  }
  printf("total %ld, results %ld\n", total, joined);
}

// alive <threads>: all wait until the last one has come.
static long alive, most;
static int is_open;

static void *gather(void *expected) {
  pthread_mutex_lock(&mutex);
  if (++alive > most) most = alive;
  if (alive == (long)expected) {
    is_open = 1;
    pthread_cond_broadcast(&condition);
  }
  while (!is_open) pthread_cond_wait(&condition, &mutex);
  pthread_mutex_unlock(&mutex);
  return 0;
}

static void test_alive(long threads) {
  pthread_t *all = malloc(threads * sizeof *all);
  for (long i = 0; i < threads; i++) all[i] = start(gather, (void *)threads);
  for (long i = 0; i < threads; i++) CHECK(pthread_join(all[i], 0));
  printf("%ld alive\n", most);
}

// queue <items>: two producers and two consumers around a buffer of four places.
static int buffer[4], used, first_place;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;

static void *produce(void *items) {
  for (long i = 1; i <= (long)items; i++) {
    pthread_mutex_lock(&mutex);
    while (used == 4) pthread_cond_wait(&not_full, &mutex);
    buffer[(first_place + used++) % 4] = (int)i;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&mutex);
  }
  return 0;
}

static void *consume(void *items) {
  long sum = 0;
  for (long i = 1; i <= (long)items; i++) {
    pthread_mutex_lock(&mutex);
    while (used == 0) pthread_cond_wait(&not_empty, &mutex);
    sum += buffer[first_place];
    first_place = (first_place + 1) % 4;
    used--;
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&mutex);
  }
  return (void *)sum;
}

static void test_queue(long items) {
  pthread_t threads[4] = {start(produce, (void *)items), start(consume, (void *)items), start(produce, (void *)items),
                          start(consume, (void *)items)};
  long sum = 0;
  for (int i = 0; i < 4; i++) {
    void *result;
    CHECK(pthread_join(threads[i], &result));
    sum += (long)result;
  }
  printf("sum %ld\n", sum);
}

// deadlock: two threads lock two mutexes, each the other one first.
static pthread_mutex_t account_a = PTHREAD_MUTEX_INITIALIZER, account_b = PTHREAD_MUTEX_INITIALIZER;

static void *transfer_a_to_b(void *unused) {
  pthread_mutex_lock(&account_a);
  usleep(1000);
  pthread_mutex_lock(&account_b);
  return 0;
}

static void *transfer_b_to_a(void *unused) {
  pthread_mutex_lock(&account_b);
  usleep(1000);
  pthread_mutex_lock(&account_a);
  return 0;
}

static void test_deadlock(void) {
  printf("locking\n");
  fflush(stdout);
  pthread_t one = start(transfer_a_to_b, 0), other = start(transfer_b_to_a, 0);
  pthread_join(one, 0);
  pthread_join(other, 0);
  printf("not reached\n");
}

// storage: errno, _Thread_local and keys with destructors are of each thread; pthread_once runs once.
static _Thread_local int own = 7;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int destroyed, prepared;

static void destroy(void *value) { destroyed += *(int *)value; free(value); }
static void prepare(void) { prepared++; sched_yield(); CHECK(pthread_key_create(&key, destroy)); }

static void *use_storage(void *number) {
  pthread_once(&once, prepare);
  int *value = malloc(sizeof *value);
  *value = (int)(long)number;
  CHECK(pthread_setspecific(key, value));
  if (own != 7) return (void *)1;
  own = (int)(long)number;
  errno = (int)(long)number;
  for (int i = 0; i < 10; i++) sched_yield();
  return (void *)(long)(own != (long)number || errno != (long)number || *(int *)pthread_getspecific(key) != (long)number);
}

static void test_storage(void) {
  pthread_t threads[20];
  long wrong = 0;
  for (long i = 0; i < 20; i++) threads[i] = start(use_storage, (void *)(i + 1));
  for (int i = 0; i < 20; i++) {
    void *result;
    CHECK(pthread_join(threads[i], &result));
    wrong += (long)result;
  }
  printf("wrong %ld, destroyed %d, prepared %d, own %d\n", wrong, destroyed, prepared, own);
}

// locks: rwlock, barrier, semaphore, recursive and error-checking mutexes, trylock, timed waits.
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t semaphore;
static atomic_int readers, most_readers, serial, violations;
static int is_writing;

static void *read_and_write(void *number) {
  for (int i = 0; i < 5; i++) {
    pthread_rwlock_rdlock(&rwlock);
    int now = ++readers;
    if (now > most_readers) most_readers = now;
    if (is_writing) violations++;
    sched_yield();
    readers--;
    pthread_rwlock_unlock(&rwlock);
    if ((long)number % 5 == 0) {
      pthread_rwlock_wrlock(&rwlock);
      is_writing = 1;
      if (readers) violations++;
      sched_yield();
      is_writing = 0;
      pthread_rwlock_unlock(&rwlock);
    }
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) serial++;
  }
  sem_post(&semaphore);
  return 0;
}

static struct timespec in_ms(long ms) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  at.tv_nsec += ms * 1000000;
  at.tv_sec += at.tv_nsec / 1000000000;
  at.tv_nsec %= 1000000000;
  return at;
}

static void test_locks(void) {
  pthread_t threads[10];
  sem_init(&semaphore, 0, 0);
  CHECK(pthread_barrier_init(&barrier, 0, 10));
  for (long i = 0; i < 10; i++) threads[i] = start(read_and_write, (void *)i);
  for (int i = 0; i < 10; i++) sem_wait(&semaphore);
  for (int i = 0; i < 10; i++) CHECK(pthread_join(threads[i], 0));
  printf("violations %d, readers at once %s, serial %d\n", violations, most_readers > 1 ? "many" : "one", serial);

  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_t recursive, checking;
  pthread_mutex_init(&recursive, &attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&checking, &attributes);
  int twice = pthread_mutex_lock(&recursive) || pthread_mutex_lock(&recursive) || pthread_mutex_unlock(&recursive);
  pthread_mutex_lock(&checking);
  int again = pthread_mutex_lock(&checking);
  pthread_mutex_lock(&mutex);
  struct timespec at = in_ms(20);
  int late = pthread_cond_timedwait(&condition, &mutex, &at);
  int busy = pthread_mutex_trylock(&mutex);
  at = in_ms(20);
  int slow = sem_timedwait(&semaphore, &at) ? errno : 0;
  printf("%d %s, %s, %s, %s\n", twice, strerror(again), strerror(late), strerror(busy), strerror(slow));
}

// detached <threads>: nobody joins them, and their stacks are freed.
static void *count_down(void *unused) {
  pthread_mutex_lock(&mutex);
  if (--alive == 0) pthread_cond_signal(&condition);
  pthread_mutex_unlock(&mutex);
  return 0;
}

static void test_detached(long threads) {
  size_t before = __builtin_wasm_memory_size(0);
  for (long round = 0; round < 20; round++) {
    pthread_mutex_lock(&mutex);
    alive = threads;
    pthread_mutex_unlock(&mutex);
    for (long i = 0; i < threads; i++) CHECK(pthread_detach(start(count_down, 0)));
    pthread_mutex_lock(&mutex);
    while (alive > 0) pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
  }
  // 20 times as many blocks of 20 KiB would be far more.
  printf("grown by %s\n", __builtin_wasm_memory_size(0) - before <= threads ? "little" : "much");
}

// c11: threads.h
static mtx_t c11_mutex;
static int add_c11(void *count) {
  for (long i = 0; i < (long)count; i++) {
    mtx_lock(&c11_mutex);
    total++;
    mtx_unlock(&c11_mutex);
    if (i % 10 == 0) thrd_yield();
  }
  return 3;
}

static void test_c11(void) {
  thrd_t threads[8];
  int results = 0;
  mtx_init(&c11_mutex, mtx_plain);
  for (int i = 0; i < 8; i++)
    if (thrd_create(&threads[i], add_c11, (void *)100) != thrd_success) exit(1);
  for (int i = 0; i < 8; i++) {
    int result;
    thrd_join(threads[i], &result);
    results += result;
  }
  printf("total %ld, results %d\n", total, results);
}

// waits: one thread sleeps, one reads standard input, one spins with sched_yield, all at once.
static atomic_int has_read;
static void *sleep_long(void *unused) { usleep(100000); printf("slept\n"); return 0; }
static void *read_line(void *unused) {
  char line[80];
  if (fgets(line, sizeof line, stdin)) printf("read %s", line);
  has_read = 1;
  return 0;
}
static void *spin(void *unused) { while (!has_read) sched_yield(); printf("spun\n"); return 0; }

static void test_waits(void) {
  pthread_t threads[3] = {start(sleep_long, 0), start(read_line, 0), start(spin, 0)};
  for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
}

// serve <connections>: a thread accepts connections on descriptor 3, each of which has a thread of its own; another one ticks meanwhile.
static atomic_int is_serving = 1;

static void *echo(void *connection) {
  char bytes[64];
  ssize_t length;
  while ((length = read((int)(long)connection, bytes, sizeof bytes)) > 0) write((int)(long)connection, bytes, length);
  close((int)(long)connection);
  return 0;
}

static void *tick(void *unused) {
  long ticks = 0;
  for (; is_serving; ticks++) usleep(1000);
  return (void *)ticks;
}

static void *serve(void *connections) {
  pthread_t threads[16];
  for (long i = 0; i < (long)connections; i++) threads[i] = start(echo, (void *)(long)accept(3, 0, 0));
  for (long i = 0; i < (long)connections; i++) pthread_join(threads[i], 0);
  is_serving = 0;
  return 0;
}

static void test_serve(long connections) {
  pthread_t server = start(serve, (void *)connections), clock = start(tick, 0);
  void *ticks;
  pthread_join(server, 0);
  pthread_join(clock, &ticks);
  printf("served %ld, %s\n", connections, (long)ticks > 0 ? "ticking" : "without a tick");
}

// files: each thread writes a file of its own, reads it again, and gets random bytes; to standard output, all write whole lines.
static void *use_file(void *number) {
  char name[32], line[32], expected[32];
  unsigned char random[16] = {0};
  snprintf(name, sizeof name, "/data/file-%ld", (long)number);
  snprintf(expected, sizeof expected, "line %ld\n", (long)number);
  FILE *file = fopen(name, "w");
  if (!file || fputs(expected, file) < 0 || fclose(file)) return (void *)1;
  sched_yield();
  file = fopen(name, "r");
  if (!file || !fgets(line, sizeof line, file) || strcmp(line, expected) || fclose(file)) return (void *)1;
  int sum = 0;
  if (getentropy(random, sizeof random)) return (void *)1;
  for (int i = 0; i < 16; i++) sum += random[i];
  printf("thread %02ld\n", (long)number);
  return (void *)(long)(sum == 0);
}

static void test_files(void) {
  pthread_t threads[10];
  long wrong = 0;
  for (long i = 0; i < 10; i++) threads[i] = start(use_file, (void *)i);
  for (int i = 0; i < 10; i++) {
    void *result;
    CHECK(pthread_join(threads[i], &result));
    wrong += (long)result;
  }
  printf("wrong %ld\n", wrong);
}

// exit, trap and main: how a program ends while threads wait, sleep and run.
static void *wait_for_ever(void *unused) { pthread_mutex_lock(&mutex); printf("not reached\n"); return 0; }
static void *sleep_for_ever(void *unused) { for (;;) sleep(1000); }
static void *spin_for_ever(void *unused) { for (;;) sched_yield(); }
static void *exit_soon(void *unused) { usleep(5000); exit(42); }
static void *trap_soon(void *unused) { usleep(5000); __builtin_trap(); }
static void say_bye(void) { printf("bye\n"); }

static void test_end(void *(*last)(void *)) {
  atexit(say_bye);
  pthread_mutex_lock(&mutex);
  start(wait_for_ever, 0);
  start(sleep_for_ever, 0);
  start(spin_for_ever, 0);
  if (last == 0) return;
  pthread_join(start(last, 0), 0);
}

// deep: a thread with a stack of 64 KiB calls itself, with 1 KiB for each call.
__attribute__((noinline)) static long go_down(long levels, volatile char *above) {
  volatile char frame[1000];
  frame[0] = above ? above[0] + 1 : 1;
  return levels <= 1 ? 1 : go_down(levels - 1, frame) + (frame[0] == (char)(above ? above[0] + 1 : 1));
}

static void *dive(void *levels) { return (void *)go_down((long)levels, 0); }

static void test_deep(long levels) {
  void *result;
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  if (pthread_create(&thread, &attributes, dive, (void *)levels) || pthread_join(thread, &result)) abort();
  printf("%ld calls\n", (long)result);
}

// many: until there can be no more.
static void test_many(void) {
  long count = 0;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 16384);
  pthread_mutex_lock(&mutex);
  for (;; count++) {
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, wait_for_ever, 0);
    if (error == 0) continue;
    printf("%ld threads, then %s\n", count, strerror(error));
    return;
  }
}

// bench <what> <n>: nanoseconds
static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1e9 + at.tv_nsec;
}
static void *nothing(void *unused) { return 0; }
static int turn;
static void *take_turns(void *who) {
  for (long i = 0; i < total; i++) {
    pthread_mutex_lock(&mutex);
    while (turn != (int)(long)who) pthread_cond_wait(&condition, &mutex);
    turn = !turn;
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&mutex);
  }
  return 0;
}
static void test_bench(const char *what, long n) {
  double begin = now();
  if (!strcmp(what, "spawn")) {
    for (long i = 0; i < n; i++) pthread_join(start(nothing, 0), 0);
  } else {
    total = n / 2;
    pthread_t one = start(take_turns, (void *)0), other = start(take_turns, (void *)1);
    pthread_join(one, 0);
    pthread_join(other, 0);
  }
  printf("%.0f ns\n", (now() - begin) / n);
}

int main(int count, char **words) {
  const char *test = count > 1 ? words[1] : "";
  long first = count > 2 ? atol(words[2]) : 0, second = count > 3 ? atol(words[3]) : 0;
  if (!strcmp(test, "mutex")) test_mutex(first, second);
  else if (!strcmp(test, "alive")) test_alive(first);
  else if (!strcmp(test, "queue")) test_queue(first);
  else if (!strcmp(test, "deadlock")) test_deadlock();
  else if (!strcmp(test, "storage")) test_storage();
  else if (!strcmp(test, "locks")) test_locks();
  else if (!strcmp(test, "detached")) test_detached(first);
  else if (!strcmp(test, "c11")) test_c11();
  else if (!strcmp(test, "waits")) test_waits();
  else if (!strcmp(test, "serve")) test_serve(first);
  else if (!strcmp(test, "files")) test_files();
  else if (!strcmp(test, "exit")) test_end(exit_soon);
  else if (!strcmp(test, "trap")) test_end(trap_soon);
  else if (!strcmp(test, "main")) test_end(0);
  else if (!strcmp(test, "deep")) test_deep(first);
  else if (!strcmp(test, "many")) test_many();
  else if (!strcmp(test, "bench")) test_bench(words[2], second);
  else return 2;
}
