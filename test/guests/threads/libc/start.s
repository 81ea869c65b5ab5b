# The export that the host calls for each thread, in an instance of its own: wasi_thread_start(id, start).
# The first word of `start` is where the thread's stack begins; the C function does the rest on that.

	.globaltype	__stack_pointer, i32
	.functype	__wasi_thread_main (i32, i32) -> ()

	.section	.text.wasi_thread_start,"",@
	.globl	wasi_thread_start
	.export_name	wasi_thread_start, wasi_thread_start
	.type	wasi_thread_start,@function
wasi_thread_start:
	.functype	wasi_thread_start (i32, i32) -> ()
	local.get	1
	i32.load	0
	global.set	__stack_pointer
	local.get	0
	local.get	1
	call	__wasi_thread_main
	end_function
