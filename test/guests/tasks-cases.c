/*
 * What tasks of a program do in the cases that nobody hopes for: `tasks-cases <case>`.
 */
#include <stackful.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static stackful_mutex mutex, other;
static stackful_rwlock lock;
static stackful_condition condition;
static stackful_semaphore semaphore;
static stackful_barrier barrier;
static stackful_channel channel, full;
static stackful_task main_task;

static void *sleep_long(void *text) {
  sleep(3600);
  puts(text);
  return NULL;
}

static void spawn_sleepers(void) {
  for (int i = 0; i < 10; i++) stackful_detach(stackful_spawn(sleep_long, "never printed"));
  stackful_sleep_ms(1);
}

/* ---- How a program ends ---- */

static void *call_exit(void *argument) {
  (void)argument;
  exit(7);
}

static void *trap(void *argument) {
  (void)argument;
  stackful_yield();
  __builtin_trap();
}

/* Calls itself, with 1 KiB for each call. */
__attribute__((noinline)) static intptr_t go_down(intptr_t levels, volatile char *above) {
  volatile char frame[1000];
  frame[0] = above == NULL ? 1 : above[0] + 1;
  return levels <= 1 ? 1 : go_down(levels - 1, frame) + (frame[0] == (char)(above == NULL ? 1 : above[0] + 1));
}

static void *dive(void *levels) { return (void *)go_down((intptr_t)levels, NULL); }

static int deep(intptr_t levels) {
  void *result;
  stackful_join(stackful_spawn_named("diver", dive, (void *)levels), &result);
  printf("%d calls\n", (int)(intptr_t)result);
  return 0;
}

static void *cancel(void *task) { return (void *)(intptr_t)stackful_cancel((stackful_task)(intptr_t)task); }

static int end_by(stackful_body body) {
  spawn_sleepers();
  stackful_join(stackful_spawn_named("bad", body, NULL), NULL);
  puts("never printed");
  return 0;
}

static void *spin(void *argument) {
  for (volatile int *turns = argument;; ++*turns) continue;
}

/* Only for hosts that interrupt what never waits. */
static int beside_endless_loops(void) {
  int turns[2] = {0, 0};
  stackful_task cancelled = stackful_spawn(spin, &turns[0]);
  stackful_spawn(spin, &turns[1]);
  usleep(20 * 1000);
  printf("both run: %d\n", turns[0] > 0 && turns[1] > 0);
  stackful_cancel(cancelled);
  printf("cancelled: %d\n", stackful_join(cancelled, NULL) == STACKFUL_ECANCELED);
  return 0;
}

/* ---- One way to wait each: for ever, or for a time ---- */

static int32_t limit = STACKFUL_FOREVER;
static int value;

static int wait_mutex(void) { return stackful_mutex_lock_for(&mutex, limit); }
static int wait_read(void) { return stackful_rwlock_read_for(&lock, limit); }
static int wait_write(void) { return stackful_rwlock_write_for(&lock, limit); }
static int wait_semaphore(void) { return stackful_semaphore_acquire_for(semaphore, 2, limit); }
static int wait_barrier(void) { return stackful_barrier_wait_for(barrier, limit); }
static int wait_receive(void) { return stackful_receive_for(channel, &value, limit); }
static int wait_send(void) { return stackful_send_for(full, &value, limit); }
static int wait_join(void) { return stackful_join_for(main_task, NULL, limit); }
static int wait_select(void) {
  stackful_case cases[] = {{.channel = channel, .receive = &value}, {.channel = full, .send = &value}};
  return stackful_select(cases, 2, limit);
}
static int wait_condition(void) {
  stackful_mutex_lock(&other);
  int status = stackful_condition_wait_for(&condition, &other, limit);
  stackful_mutex_unlock(&other);
  return status;
}
static int wait_sleep(void) {
  stackful_sleep_ms(limit < 0 ? 3600000 : limit);
  return STACKFUL_ETIMEDOUT;
}

static const struct {
  const char *name;
  int (*wait)(void);
} ways[] = {{"mutex", wait_mutex},     {"read", wait_read},           {"write", wait_write},   {"semaphore", wait_semaphore},
            {"barrier", wait_barrier}, {"receive", wait_receive},     {"send", wait_send},     {"join", wait_join},
            {"select", wait_select},   {"condition", wait_condition}, {"sleep", wait_sleep}};
enum { WAYS = sizeof ways / sizeof *ways };

/* Everything is taken, full or empty. */
static void occupy(void) {
  main_task = stackful_self();
  stackful_mutex_lock(&mutex);
  stackful_rwlock_write(&lock);
  semaphore = stackful_semaphore_new(1);
  barrier = stackful_barrier_new(2);
  channel = stackful_channel_new(0, sizeof(int));
  full = stackful_channel_new(1, sizeof(int));
  stackful_send(full, &value);
}

static void *wait_in(void *way) { return (void *)(intptr_t)ways[(intptr_t)way].wait(); }

/* Nothing of those that were cancelled is left anywhere. */
static int check_all_free(void) {
  int wrong = 0;
  wrong += stackful_mutex_unlock(&mutex) != 0 || stackful_mutex_try_lock(&mutex) != 0;
  wrong += stackful_rwlock_unlock(&lock) != 0 || stackful_rwlock_write_for(&lock, 0) != 0;
  wrong += stackful_semaphore_acquire_for(semaphore, 1, 0) != 0;
  wrong += stackful_barrier_wait_for(barrier, 0) != STACKFUL_EAGAIN;
  wrong += stackful_try_receive(full, &value) != 0 || stackful_try_receive(full, &value) != STACKFUL_EAGAIN;
  wrong += stackful_try_send(channel, &value) != STACKFUL_EAGAIN;
  wrong += stackful_mutex_destroy(&other) != 0 || stackful_condition_destroy(&condition) != 0;
  wrong += stackful_free(semaphore) != 0 || stackful_free(barrier) != 0;
  return wrong;
}

static int cancel_each(void) {
  occupy();
  stackful_task tasks[WAYS];
  for (intptr_t i = 0; i < WAYS; i++) tasks[i] = stackful_spawn_named(ways[i].name, wait_in, (void *)i);
  stackful_sleep_ms(5);
  for (int i = 0; i < WAYS; i++) {
    stackful_cancel(tasks[i]);
    int status = stackful_join(tasks[i], NULL);
    if (status != STACKFUL_ECANCELED) printf("%s: %d\n", ways[i].name, status);
  }
  printf("left: %d\n", check_all_free());
  return 0;
}

static int time_out(int32_t milliseconds) {
  occupy();
  limit = milliseconds;
  for (intptr_t i = 0; i < WAYS; i++) {
    void *status;
    stackful_join(stackful_spawn(wait_in, (void *)i), &status);
    printf("%s %d\n", ways[i].name, (int)(intptr_t)status);
  }
  printf("left: %d\n", check_all_free());
  return 0;
}

/* ---- Cancelled at the first, the second, ... suspension ---- */

static int steps;

static void *long_work(void *argument) {
  (void)argument;
  int number = 0;
  stackful_mutex_lock(&mutex);
  steps++, stackful_yield();
  stackful_rwlock_read(&lock);
  steps++, usleep(1);
  stackful_send(channel, &number);
  steps++, stackful_sleep_ns(1000);
  stackful_semaphore_acquire(semaphore, 1);
  steps++, stackful_join(stackful_spawn(wait_in, (void *)10), NULL);
  stackful_semaphore_release(semaphore, 1);
  stackful_receive(channel, &number);
  stackful_rwlock_unlock(&lock);
  steps++, stackful_condition_wait_for(&condition, &mutex, 1);
  stackful_mutex_unlock(&mutex);
  steps++, stackful_yield();
  return NULL;
}

static int cancel_at_each(void) {
  limit = 1; /* of the task that it joins */
  semaphore = stackful_semaphore_new(1);
  int most = 0, ended = 0;
  for (int stop = 0; ended < 3; stop++) {
    channel = stackful_channel_new(4, sizeof(int));
    steps = 0;
    stackful_task task = stackful_spawn(long_work, NULL);
    while (steps < stop && stackful_join_for(task, NULL, 1) == STACKFUL_ETIMEDOUT) continue;
    stackful_cancel(task);
    int status = stackful_join(task, NULL);
    if (status == STACKFUL_ESRCH) ended++;
    if (steps > most) most = steps;
    if (stackful_mutex_try_lock(&mutex) != 0 || stackful_rwlock_write_for(&lock, 0) != 0) return 1;
    stackful_mutex_unlock(&mutex);
    stackful_rwlock_unlock(&lock);
    /* Permits belong to nobody: one that was cancelled in between has not given it back. */
    if (stackful_semaphore_acquire_for(semaphore, 1, 0) != 0 && status != STACKFUL_ECANCELED) return 2;
    stackful_semaphore_release(semaphore, 1);
    stackful_free(channel);
  }
  printf("%d steps\n", most);
  return 0;
}

/* ---- Deadlocks ---- */

static void *lock_two(void *argument) {
  stackful_mutex *locks[] = {&mutex, &other};
  int first = argument != NULL;
  stackful_mutex_lock(locks[first]);
  stackful_yield();
  stackful_mutex_lock(locks[!first]);
  return NULL;
}

static int deadlock(const char *kind) {
  occupy();
  if (strcmp(kind, "self") == 0) return stackful_join(stackful_self(), NULL);
  if (strcmp(kind, "again") == 0) return stackful_mutex_lock(&mutex);
  if (strcmp(kind, "two") == 0) {
    stackful_mutex_unlock(&mutex);
    stackful_spawn_named("ada", lock_two, NULL);
    stackful_spawn_named("bob", lock_two, &mutex);
    return sleep(3600);
  }
  for (intptr_t i = 0; i < WAYS - 1; i++) stackful_spawn_named(ways[i].name, wait_in, (void *)i);
  /* Not before this has ended. */
  usleep(30 * 1000);
  puts("main waits");
  int nothing;
  return stackful_receive(stackful_channel_new(0, sizeof nothing), &nothing);
}

/* ---- What is refused ---- */

static void *nothing(void *argument) { return argument; }

static int errors(void) {
  int element = 0;
  stackful_channel one = stackful_channel_new(1, sizeof element);
  stackful_task detached = stackful_spawn(sleep_long, "never printed");
  stackful_task task = stackful_spawn(nothing, (void *)5);
  printf("send to nothing %d\n", stackful_send(12345, &element));
  printf("send to a mutex %d\n", (stackful_mutex_lock(&mutex), stackful_send(mutex.handle, &element)));
  printf("lock nothing %d\n", stackful__mutex_lock(0, 0));
  printf("send from nowhere %d\n", stackful_send(one, (void *)0xfffffffe));
  printf("receive nowhere %d\n", stackful_receive(one, (void *)0xfffffffe));
  printf("a large element %d\n", stackful_channel_new(1, 2000000));
  printf("a negative capacity %d\n", stackful_channel_new(-2, 1));
  printf("an unknown channel %d\n", stackful_channel_open("nothing", 4));
  printf("no permits %d\n", stackful_semaphore_new(-1));
  printf("a barrier for nobody %d\n", stackful_barrier_new(0));
  printf("select of nothing %d\n", stackful_select(NULL, 0, 0));
  printf("select nowhere %d\n", stackful_select((void *)0xfffffff0, 2, 0));
  printf("join nobody %d\n", stackful_join(4711, NULL));
  printf("join nowhere %d\n", stackful_join(task, (void *)0xfffffffe));
  printf("detach %d\n", stackful_detach(detached));
  printf("join a detached one %d\n", stackful_join(detached, NULL));
  printf("cancel %d\n", stackful_cancel(task));
  printf("join it %d\n", stackful_join(task, NULL));
  stackful_channel_close(one);
  printf("send when closed %d\n", stackful_send(one, &element));
  printf("receive when closed %d\n", stackful_receive(one, &element));
  stackful_case closed = {.channel = one, .receive = &element, .status = 1};
  printf("select when closed %d", stackful_select(&closed, 1, STACKFUL_FOREVER));
  printf(" %d\n", closed.status);
  stackful_mutex never = {0};
  stackful_rwlock neither = {0};
  printf("unlock what never was locked %d %d\n", stackful_mutex_unlock(&never), stackful_rwlock_unlock(&neither));
  printf("free %d\n", stackful_free(one));
  printf("free again %d\n", stackful_free(one));
  return 0;
}

/* ---- Names and many ---- */

static int names(void) {
  char name[8] = "xxxxxxx";
  stackful_task task = stackful_spawn_named("a long name", nothing, NULL);
  printf("%d %s\n", stackful_name(task, name, sizeof name), name);
  printf("%d\n", stackful_name(task, NULL, 0));
  stackful_name(stackful_self(), name, sizeof name);
  printf("%s\n", name);
  return 0;
}

static int many(int count) {
  stackful_task *tasks = calloc(count, sizeof *tasks);
  int refused = 0;
  semaphore = stackful_semaphore_new(0);
  limit = STACKFUL_FOREVER;
  for (int i = 0; i < count; i++) {
    tasks[i] = stackful_spawn(wait_in, (void *)3);
    if (tasks[i] == STACKFUL_EAGAIN) refused++;
  }
  stackful_sleep_ms(5);
  stackful_semaphore_release(semaphore, 2 * count);
  for (int i = 0; i < count; i++) stackful_join(tasks[i], NULL);
  printf("%d tasks, %d refused\n", count - refused, refused);
  return 0;
}

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "";
  if (strcmp(name, "exit") == 0) return end_by(call_exit);
  if (strcmp(name, "trap") == 0) return end_by(trap);
  if (strcmp(name, "deep") == 0) return deep(atoi(argv[2]));
  if (strcmp(name, "cancel-main") == 0) {
    stackful_spawn(cancel, (void *)(intptr_t)stackful_self());
    return sleep(3600);
  }
  if (strcmp(name, "return") == 0) return spawn_sleepers(), puts("main returns"), 3;
  if (strcmp(name, "sleep") == 0) return spawn_sleepers(), sleep(3600);
  if (strcmp(name, "cancel") == 0) return cancel_each();
  if (strcmp(name, "cancel-at") == 0) return cancel_at_each();
  if (strcmp(name, "time-out") == 0) return time_out(5);
  if (strcmp(name, "try") == 0) return time_out(0);
  if (strcmp(name, "deadlock") == 0) return deadlock(argv[2]);
  if (strcmp(name, "errors") == 0) return errors();
  if (strcmp(name, "spin") == 0) return beside_endless_loops();
  if (strcmp(name, "names") == 0) return names();
  if (strcmp(name, "many") == 0) return many(atoi(argv[2]));
  return 2;
}
