// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Starts a kernel thread that reads address 8, which kills it with an oops. */
#include <linux/module.h>
#include <linux/kthread.h>

static noinline int tw_oops_read(void *address)
{
	return *(volatile int *)address;
}

static int tw_oops_thread(void *address)
{
	/* Used afterwards: a call at the very end would become a jump. */
	return tw_oops_read(address) + 1;
}

static int __init tw_oops_init(void)
{
	struct task_struct *task = kthread_run(tw_oops_thread, (void *)8, "tw_oops");

	return PTR_ERR_OR_ZERO(task);
}

module_init(tw_oops_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("crashes a kernel thread");
