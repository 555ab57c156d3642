// SPDX-License-Identifier: GPL-2.0 OR MIT
/* A kernel thread that holds its CPU for `seconds` seconds; unloading ends it before. */
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/preempt.h>
#include <linux/sched/task.h>

static unsigned int seconds = 4;
module_param(seconds, uint, 0400);

static struct task_struct *task;

static int tw_lockup_thread(void *unused)
{
	unsigned int part;

	preempt_disable();
	for (part = 0; part < seconds * 1000 && !kthread_should_stop(); part++)
		udelay(1000);
	preempt_enable();
	return 0;
}

static int __init tw_lockup_init(void)
{
	task = kthread_create(tw_lockup_thread, NULL, "tw_lockup");
	if (IS_ERR(task))
		return PTR_ERR(task);
	get_task_struct(task);
	wake_up_process(task);
	return 0;
}

static void __exit tw_lockup_exit(void)
{
	kthread_stop(task);
	put_task_struct(task);
}

module_init(tw_lockup_init);
module_exit(tw_lockup_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("locks a CPU up");
