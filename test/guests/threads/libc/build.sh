#!/bin/sh
# Builds wasi-libc with threads from its source in Debian 12 (`apt-get source wasi-libc`, version 0.0~git20220510.9886d3d-2): the first with
# all of musl's threads in it, and without what starts them, which is here.
#
#     test/guests/threads/libc/build.sh <directory of the source> <directory for the sysroot> [<directory of clang 22, its /bin>]
set -eu
source=$(cd "$1" && pwd)
mkdir -p "$2"
sysroot=$(cd "$2" && pwd)
bin=${3:-/usr/lib/llvm-22/bin}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
cp -r "$source/." "$work"
musl=$work/libc-top-half/musl
cp "$here/syscall.h" "$musl/src/internal/syscall.h"
cp "$here/crt1-command.c" "$work/libc-bottom-half/crt/crt1-command.c"
cp "$here/atomic_arch.h" "$here/pthread_arch.h" "$musl/arch/wasm32/"

# What cannot be had here: signals, cancellation, names, processes; and what create.c replaces.
cd "$musl/src/thread"
rm -f __set_thread_area.c __syscall_cp.c __tls_get_addr.c __unmapself.c clone.c lock_ptc.c pthread_atfork.c pthread_cancel.c \
  pthread_create.c pthread_join.c pthread_getattr_np.c pthread_getcpuclockid.c pthread_getschedparam.c pthread_kill.c pthread_setname_np.c \
  pthread_setschedparam.c pthread_setschedprio.c pthread_sigmask.c sem_open.c sem_unlink.c synccall.c syscall_cp.c tls.c \
  pthread_cleanup_push.c thrd_exit.c pthread_mutexattr_setprotocol.c pthread_mutexattr_setrobust.c pthread_setattr_default_np.c \
  pthread_mutex_setprioceiling.c pthread_setconcurrency.c pthread_attr_get.c pthread_attr_setschedparam.c pthread_condattr_setclock.c \
  thrd_yield.c thrd_sleep.c
cp "$here/create.c" pthread_create.c
printf '#include "pthread_impl.h"\nvoid _pthread_cleanup_push(struct __ptcb *cb, void (*f)(void *), void *x) { cb->__f = f; cb->__x = x; __do_cleanup_push(cb); }\nvoid _pthread_cleanup_pop(struct __ptcb *cb, int run) { __do_cleanup_pop(cb); if (run) cb->__f(cb->__x); }\n' > cleanup.c

cd "$work"
sed -i /__strong_reference/d libc-bottom-half/cloudlibc/src/libc/time/nanosleep.c
sed -i '/^#error/d' libc-bottom-half/sources/getcwd.c libc-bottom-half/sources/preopens.c libc-bottom-half/sources/getentropy.c \
  libc-bottom-half/sources/chdir.c
sed -i 's/#ifdef __wasilibc_unmodified_upstream.*/#if 1/' "$musl/src/prng/random.c"
sed -i 's/defined(__wasilibc_unmodified_upstream) || defined(_REENTRANT)/0/' "$musl/src/conf/sysconf.c"
sed -i 's/int e, seq, clock = c->_c_clock,/clockid_t clock = CLOCK_REALTIME; int e, seq,/' "$musl/src/thread/pthread_cond_timedwait.c"
sed -i -e 's/ -Werror / /' -e 's/-mthread-model posix -pthread/-mthread-model posix -pthread -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_MMAN/' \
  -e 's#filter-out %/flockfile.c %/funlockfile.c %/__lockfile.c %/ftrylockfile.c #filter-out #' \
  -e 's#^    $(wildcard $(LIBC_TOP_HALF_MUSL_SRC_DIR)/crypt/\*.c)#    $(wildcard $(LIBC_TOP_HALF_MUSL_SRC_DIR)/crypt/*.c) $(wildcard $(LIBC_TOP_HALF_MUSL_SRC_DIR)/thread/*.c)#' \
  -e 's/^finish: check-symbols//' Makefile
make -j"$(nproc)" THREAD_MODEL=posix CC="$bin/clang" AR="$bin/llvm-ar" NM="$bin/llvm-nm" EXTRA_CFLAGS="-O2 -DSEM_VALUE_MAX=0x7fffffff" SYSROOT="$sysroot" finish
"$bin/clang" --target=wasm32-wasi -c -o "$work/start.o" "$here/start.s"
"$bin/llvm-ar" rs "$sysroot/lib/wasm32-wasi/libc.a" "$work/start.o"
rm -rf "$work"
