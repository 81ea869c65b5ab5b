/*
 * Tasks, channels and locks for C and C++ programs that are run by stackful: docs/guest-tasks.md.
 *
 * A task is a function with a stack of its own. All tasks of a program run in one thread, one at a time: another one goes on where the
 * running one waits, in one of the functions below or in a call of WASI (nanosleep, read, accept, ...), and nowhere else; unless the
 * host has made the program interruptible, as `stackful run` does: then also where it computes for more than some milliseconds.
 *
 * Functions return 0 or what they say, and a negative STACKFUL_E... otherwise. The numbers are those of wasi-libc: STACKFUL_EAGAIN is
 * -EAGAIN. Those that take a time wait for so many milliseconds at most and return STACKFUL_ETIMEDOUT then; STACKFUL_FOREVER is no limit,
 * and with 0 they do not wait at all and return STACKFUL_EAGAIN.
 *
 * Mutexes, read-write locks, conditions, once flags and locals are ready for use when they are all zeros, as static variables are.
 * Nothing else than this header is needed: no library and no option of the linker.
 */
#ifndef STACKFUL_H
#define STACKFUL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __wasm64__
#error "stackful.h is for 32-bit memories"
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum {
  STACKFUL_EAGAIN = -6,
  STACKFUL_EBUSY = -10,
  STACKFUL_ECANCELED = -11,
  STACKFUL_EFAULT = -21,
  STACKFUL_EINVAL = -28,
  STACKFUL_EMSGSIZE = -35,
  STACKFUL_ENOENT = -44,
  STACKFUL_EPERM = -63,
  STACKFUL_EPIPE = -64,
  STACKFUL_ESRCH = -71,
  STACKFUL_ETIMEDOUT = -73,
};

enum { STACKFUL_FOREVER = -1 };

#define STACKFUL__IMPORT(name) __attribute__((import_module("stackful"), import_name(#name)))

/* ---- Tasks ---- */

/* A number from 1, of one task only. */
typedef int32_t stackful_task;
typedef void *(*stackful_body)(void *argument);

STACKFUL__IMPORT(spawn) stackful_task stackful__spawn(stackful_body body, void *argument, const char *name);
STACKFUL__IMPORT(join) int stackful__join(stackful_task task, void **result, int32_t milliseconds);
STACKFUL__IMPORT(name) int stackful__name(stackful_task task, char *name, size_t size);
STACKFUL__IMPORT(sleep) void stackful__sleep(double milliseconds);

/*
 * Starts a task that calls `body`; it begins when the running one waits. STACKFUL_EAGAIN: there are too many. Every task has to be
 * joined or detached.
 */
static inline stackful_task stackful_spawn(stackful_body body, void *argument) {
  return stackful__spawn(body, argument, NULL);
}

/* With a name for messages, of at most 255 bytes: when tasks wait for each other, for one. */
static inline stackful_task stackful_spawn_named(const char *name, stackful_body body, void *argument) {
  return stackful__spawn(body, argument, name);
}

/* Waits until it has ended. `*result` is what its body returned; STACKFUL_ECANCELED: it was cancelled. `result` may be NULL. */
static inline int stackful_join(stackful_task task, void **result) {
  return stackful__join(task, result, STACKFUL_FOREVER);
}
static inline int stackful_join_for(stackful_task task, void **result, int32_t milliseconds) {
  return stackful__join(task, result, milliseconds);
}

/* Nobody will join it. */
STACKFUL__IMPORT(detach) int stackful_detach(stackful_task task);

/*
 * Ends a task where it waits, or waits next: its stack is unwound there (C++ destructors run), and the locks that it has are
 * released. It has ended when it can be joined.
 */
STACKFUL__IMPORT(cancel) int stackful_cancel(stackful_task task);

/* The task that runs. */
STACKFUL__IMPORT(self) stackful_task stackful_self(void);

/* Writes its name, as much of it as fits, and a zero. Returns the length of the whole name. */
static inline int stackful_name(stackful_task task, char *name, size_t size) {
  return stackful__name(task, name, size);
}

/* Lets the others run that could. */
STACKFUL__IMPORT(yield) void stackful_yield(void);

static inline void stackful_sleep_ms(uint32_t milliseconds) { stackful__sleep(milliseconds); }
static inline void stackful_sleep_ns(uint64_t nanoseconds) { stackful__sleep((double)nanoseconds / 1e6); }

/* ---- Values that each task has its own of ----
 * (_Thread_local variables of a program that is not compiled for threads are plain global ones, which all tasks share.)
 */

typedef struct {
  int32_t handle;
  /* Called with the value of a task that ends, if it is not NULL; not when it is cancelled. May be NULL. */
  void (*destructor)(void *value);
} stackful_local;

STACKFUL__IMPORT(local_new) int32_t stackful__local_new(void (*destructor)(void *));
STACKFUL__IMPORT(local_get) void *stackful__local_get(int32_t local);
STACKFUL__IMPORT(local_set) int stackful__local_set(int32_t local, void *value);
STACKFUL__IMPORT(local_take) void *stackful__local_take(void (**destructor)(void *));

/* NULL where the task has set none. */
static inline void *stackful_local_get(stackful_local *local) {
  return local->handle == 0 ? NULL : stackful__local_get(local->handle);
}

static inline int stackful_local_set(stackful_local *local, void *value) {
  if (local->handle == 0) local->handle = stackful__local_new(local->destructor);
  return stackful__local_set(local->handle, value);
}

static inline void *stackful__run(stackful_body body, void *argument) {
  void *result = body(argument);
  for (;;) {
    void (*destructor)(void *) = NULL;
    void *value = stackful__local_take(&destructor);
    if (destructor == NULL) return result;
    destructor(value);
  }
}

#define STACKFUL__EXPORT(name) __attribute__((weak, used, export_name(#name)))

/* How a task begins. Called from outside, for each task on a stack of its own. */
#if defined(__wasm_atomics__) && defined(_REENTRANT)

/*
 * Compiled for threads (-pthread): each task has _Thread_local variables of its own, on its stack. Where they are is a global of the
 * program, which is set whenever another task goes on.
 */
void __wasm_init_tls(void *block);

STACKFUL__EXPORT(stackful_tls) void *stackful_tls(void) { return __builtin_wasm_tls_base(); }

STACKFUL__EXPORT(stackful_set_tls) void stackful_set_tls(void *block) {
  __asm__ volatile(".globaltype __tls_base, i32\n"
                   "local.get %0\n"
                   "global.set __tls_base"
                   :
                   : "r"(block));
}

STACKFUL__EXPORT(stackful_start) void *stackful_start(stackful_body body, void *argument) {
  size_t size = __builtin_wasm_tls_size(), align = __builtin_wasm_tls_align();
  if (size == 0) return stackful__run(body, argument);
  uintptr_t room = (uintptr_t)__builtin_alloca(size + align);
  __wasm_init_tls((void *)((room + align - 1) / align * align));
  return stackful__run(body, argument);
}

#else

STACKFUL__EXPORT(stackful_start) void *stackful_start(stackful_body body, void *argument) {
  return stackful__run(body, argument);
}

#endif

/* ---- Channels: queues of elements of one size, which are copied ---- */

typedef int32_t stackful_channel;

enum { STACKFUL_UNBOUNDED = -1 };

STACKFUL__IMPORT(channel_send) int stackful__channel_send(stackful_channel channel, const void *element, int32_t milliseconds);
STACKFUL__IMPORT(channel_receive) int stackful__channel_receive(stackful_channel channel, void *element, int32_t milliseconds);

/*
 * A channel that keeps `capacity` elements of `element_bytes` (1 MiB at most); with 0 each is handed from sender to receiver, with
 * STACKFUL_UNBOUNDED no sender ever waits.
 */
STACKFUL__IMPORT(channel_new) stackful_channel stackful_channel_new(int32_t capacity, size_t element_bytes);

/* The channel that the host offers under this name, also to others. STACKFUL_ENOENT: it offers none. */
STACKFUL__IMPORT(channel_open) stackful_channel stackful_channel_open(const char *name, size_t element_bytes);

/* Copies what `element` points to. STACKFUL_EPIPE: the channel is closed. */
static inline int stackful_send(stackful_channel channel, const void *element) {
  return stackful__channel_send(channel, element, STACKFUL_FOREVER);
}
static inline int stackful_send_for(stackful_channel channel, const void *element, int32_t milliseconds) {
  return stackful__channel_send(channel, element, milliseconds);
}
static inline int stackful_try_send(stackful_channel channel, const void *element) {
  return stackful__channel_send(channel, element, 0);
}

/* Copies to where `element` points. STACKFUL_EPIPE: the channel is closed and empty. */
static inline int stackful_receive(stackful_channel channel, void *element) {
  return stackful__channel_receive(channel, element, STACKFUL_FOREVER);
}
static inline int stackful_receive_for(stackful_channel channel, void *element, int32_t milliseconds) {
  return stackful__channel_receive(channel, element, milliseconds);
}
static inline int stackful_try_receive(stackful_channel channel, void *element) {
  return stackful__channel_receive(channel, element, 0);
}

/* How many elements it keeps. */
STACKFUL__IMPORT(channel_length) int stackful_channel_length(stackful_channel channel);

/* Lets nothing more in; what it keeps can still be received. */
STACKFUL__IMPORT(channel_close) int stackful_channel_close(stackful_channel channel);

/* ---- The first of several channel operations ---- */

typedef struct {
  stackful_channel channel;
  /* One of the two is NULL. */
  const void *send;
  void *receive;
  /* Set of the case that happened: 0, or STACKFUL_EPIPE. */
  int32_t status;
} stackful_case;

/*
 * Does one of them, and returns which one; of several that are ready any. A channel that is closed is ready.
 */
STACKFUL__IMPORT(select) int stackful_select(stackful_case *cases, int32_t count, int32_t milliseconds);

/* ---- Locks ---- */

/*
 * Frees a channel, which is closed, a semaphore or a barrier. Other objects: by the functions below. STACKFUL_EBUSY: somebody waits at
 * the semaphore or barrier.
 */
STACKFUL__IMPORT(free) int stackful_free(int32_t handle);

/* One task has it at a time. Those who wait have it in the order in which they came. */
typedef struct {
  int32_t handle;
} stackful_mutex;

STACKFUL__IMPORT(mutex_new) int32_t stackful__mutex_new(void);
STACKFUL__IMPORT(mutex_lock) int stackful__mutex_lock(int32_t mutex, int32_t milliseconds);
STACKFUL__IMPORT(mutex_unlock) int stackful__mutex_unlock(int32_t mutex);

static inline int stackful_mutex_lock_for(stackful_mutex *mutex, int32_t milliseconds) {
  if (mutex->handle == 0) mutex->handle = stackful__mutex_new();
  return stackful__mutex_lock(mutex->handle, milliseconds);
}
static inline int stackful_mutex_lock(stackful_mutex *mutex) { return stackful_mutex_lock_for(mutex, STACKFUL_FOREVER); }
static inline int stackful_mutex_try_lock(stackful_mutex *mutex) { return stackful_mutex_lock_for(mutex, 0); }

/* STACKFUL_EPERM: the task does not have it. */
static inline int stackful_mutex_unlock(stackful_mutex *mutex) { return stackful__mutex_unlock(mutex->handle); }

static inline int stackful__destroy(int32_t *handle) {
  int status = *handle == 0 ? 0 : stackful_free(*handle);
  if (status == 0) *handle = 0;
  return status;
}

/* STACKFUL_EBUSY: somebody has it. */
static inline int stackful_mutex_destroy(stackful_mutex *mutex) { return stackful__destroy(&mutex->handle); }

/* Any number of tasks have it for reading, or one for writing. */
typedef struct {
  int32_t handle;
} stackful_rwlock;

STACKFUL__IMPORT(rwlock_new) int32_t stackful__rwlock_new(void);
STACKFUL__IMPORT(rwlock_read) int stackful__rwlock_read(int32_t lock, int32_t milliseconds);
STACKFUL__IMPORT(rwlock_write) int stackful__rwlock_write(int32_t lock, int32_t milliseconds);
STACKFUL__IMPORT(rwlock_unlock) int stackful__rwlock_unlock(int32_t lock);

static inline int stackful_rwlock_read_for(stackful_rwlock *lock, int32_t milliseconds) {
  if (lock->handle == 0) lock->handle = stackful__rwlock_new();
  return stackful__rwlock_read(lock->handle, milliseconds);
}
static inline int stackful_rwlock_write_for(stackful_rwlock *lock, int32_t milliseconds) {
  if (lock->handle == 0) lock->handle = stackful__rwlock_new();
  return stackful__rwlock_write(lock->handle, milliseconds);
}
static inline int stackful_rwlock_read(stackful_rwlock *lock) { return stackful_rwlock_read_for(lock, STACKFUL_FOREVER); }
static inline int stackful_rwlock_write(stackful_rwlock *lock) { return stackful_rwlock_write_for(lock, STACKFUL_FOREVER); }
static inline int stackful_rwlock_unlock(stackful_rwlock *lock) { return stackful__rwlock_unlock(lock->handle); }
static inline int stackful_rwlock_destroy(stackful_rwlock *lock) { return stackful__destroy(&lock->handle); }

/* A number of permits. */
typedef int32_t stackful_semaphore;

STACKFUL__IMPORT(semaphore_acquire) int stackful__semaphore_acquire(stackful_semaphore semaphore, int32_t count, int32_t milliseconds);

STACKFUL__IMPORT(semaphore_new) stackful_semaphore stackful_semaphore_new(int32_t permits);
static inline int stackful_semaphore_acquire_for(stackful_semaphore semaphore, int32_t count, int32_t milliseconds) {
  return stackful__semaphore_acquire(semaphore, count, milliseconds);
}
static inline int stackful_semaphore_acquire(stackful_semaphore semaphore, int32_t count) {
  return stackful__semaphore_acquire(semaphore, count, STACKFUL_FOREVER);
}
/* Whoever calls it: permits belong to no task. */
STACKFUL__IMPORT(semaphore_release) int stackful_semaphore_release(stackful_semaphore semaphore, int32_t count);

/* Waiting, without a mutex meanwhile, until others have changed something. */
typedef struct {
  int32_t handle;
} stackful_condition;

STACKFUL__IMPORT(condition_new) int32_t stackful__condition_new(void);
STACKFUL__IMPORT(condition_wait) int stackful__condition_wait(int32_t condition, int32_t milliseconds);
STACKFUL__IMPORT(condition_notify) int stackful__condition_notify(int32_t condition, int32_t all);

/*
 * Has the mutex again when it returns. Look at what you wait for in a loop. A task that is cancelled there does not have the mutex
 * while its stack is unwound.
 */
static inline int stackful_condition_wait_for(stackful_condition *condition, stackful_mutex *mutex, int32_t milliseconds) {
  if (condition->handle == 0) condition->handle = stackful__condition_new();
  /* No other task runs between the two: nothing waits in an unlock. */
  int status = stackful_mutex_unlock(mutex);
  if (status != 0) return status;
  status = stackful__condition_wait(condition->handle, milliseconds);
  int locked = stackful_mutex_lock(mutex);
  return locked != 0 ? locked : status;
}
static inline int stackful_condition_wait(stackful_condition *condition, stackful_mutex *mutex) {
  return stackful_condition_wait_for(condition, mutex, STACKFUL_FOREVER);
}
/* Wakes the one that has waited longest. Nothing is remembered for those who are not waiting yet. */
static inline int stackful_condition_signal(stackful_condition *condition) {
  return condition->handle == 0 ? 0 : stackful__condition_notify(condition->handle, 0);
}
static inline int stackful_condition_broadcast(stackful_condition *condition) {
  return condition->handle == 0 ? 0 : stackful__condition_notify(condition->handle, 1);
}
static inline int stackful_condition_destroy(stackful_condition *condition) {
  return stackful__destroy(&condition->handle);
}

/* A point that tasks only pass together. */
typedef int32_t stackful_barrier;

STACKFUL__IMPORT(barrier_wait) int stackful__barrier_wait(stackful_barrier barrier, int32_t milliseconds);

STACKFUL__IMPORT(barrier_new) stackful_barrier stackful_barrier_new(int32_t tasks);
/* Returns 1 in the one that came last, 0 in the others. */
static inline int stackful_barrier_wait(stackful_barrier barrier) {
  return stackful__barrier_wait(barrier, STACKFUL_FOREVER);
}
static inline int stackful_barrier_wait_for(stackful_barrier barrier, int32_t milliseconds) {
  return stackful__barrier_wait(barrier, milliseconds);
}

/* Something that the first who comes does, while the others wait. */
typedef struct {
  int32_t done;
  stackful_mutex mutex;
} stackful_once_flag;

static inline int stackful_once(stackful_once_flag *flag, void (*body)(void)) {
  if (flag->done) return 0;
  int status = stackful_mutex_lock(&flag->mutex);
  if (status != 0) return status;
  if (!flag->done) {
    body();
    flag->done = 1;
  }
  return stackful_mutex_unlock(&flag->mutex);
}

#ifdef __cplusplus
}
#endif

#endif
