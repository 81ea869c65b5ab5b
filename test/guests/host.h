/* What every C guest here needs: names for its imports from the host and for its exports. */
#pragma once

/* HOST(wait) int host_wait(int id);   imports "host" "wait" */
#define HOST(name) __attribute__((import_module("host"), import_name(#name)))

/* EXPORT(frame) int frame(int id) {}  exports "frame" */
#define EXPORT(name) __attribute__((export_name(#name)))

/* Keeps a function apart, so that it gets a stack frame of its own and a name in backtraces. */
#define NOINLINE __attribute__((noinline))
