/* In place of musl's system calls: what its threads want of a kernel is a futex, which the atomic instructions are. */
#ifndef _INTERNAL_SYSCALL_H
#define _INTERNAL_SYSCALL_H

#include <errno.h>
#include <features.h>
#include <limits.h>
#include <time.h>

enum { SYS_futex = 1, SYS_set_robust_list, SYS_exit, SYS_tkill };

__attribute__((always_inline)) static inline long __wasi_futex(volatile int *address, long operation, int value, const struct timespec *limit) {
  switch (operation & 127) {
    case 0: { /* FUTEX_WAIT */
      long long ns = limit ? limit->tv_sec * 1000000000LL + limit->tv_nsec : -1;
      int result = __builtin_wasm_memory_atomic_wait32((int *)address, value, ns);
      return result == 0 ? 0 : result == 1 ? -EAGAIN : -ETIMEDOUT;
    }
    case 1: /* FUTEX_WAKE */
      return __builtin_wasm_memory_atomic_notify((int *)address, value);
    case 3: /* FUTEX_REQUEUE of one: it is woken, and asks for the lock itself */
      return __builtin_wasm_memory_atomic_notify((int *)address, 1);
    default:
      return -ENOSYS;
  }
}

/* By the number of arguments: those of a futex, and others, which there are not. */
#define __wasi_syscall3(number, a, b) (-ENOSYS)
#define __wasi_syscall4(number, address, operation, value) __wasi_syscall5(number, address, operation, value, 0)
#define __wasi_syscall5(number, address, operation, value, limit) \
  __wasi_futex((volatile int *)(address), operation, value, (const struct timespec *)(limit))
#define __wasi_syscall6(number, address, operation, woken, moved, other) __wasi_syscall5(number, address, operation, woken, 0)
#define __wasi_pick(a, b, c, d, e, f, name, ...) name

/* There are no signals. */
void __block_app_sigs(void *set);
void __block_all_sigs(void *set);
void __restore_sigs(void *set);

#define __syscall(...) \
  __wasi_pick(__VA_ARGS__, __wasi_syscall6, __wasi_syscall5, __wasi_syscall4, __wasi_syscall3, , )(__VA_ARGS__)
#define __syscall_cp(...) __syscall(__VA_ARGS__)

#endif
