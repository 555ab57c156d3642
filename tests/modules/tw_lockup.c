// SPDX-License-Identifier: GPL-2.0 OR MIT
/* A kernel thread that holds its CPU for `seconds` seconds. */
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/preempt.h>

static unsigned int seconds = 4;
module_param(seconds, uint, 0400);

static int tw_lockup_thread(void *unused)
{
	unsigned int part;

	preempt_disable();
	for (part = 0; part < seconds * 1000; part++)
		udelay(1000);
	preempt_enable();
	return 0;
}

static int __init tw_lockup_init(void)
{
	struct task_struct *task = kthread_run(tw_lockup_thread, NULL, "tw_lockup");

	return PTR_ERR_OR_ZERO(task);
}

module_init(tw_lockup_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("locks a CPU up");
