// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Calls add_taint(flag) N times in all, from kernel threads on M CPUs at once: write
 * "N M [FLAG]" to the parameter `go` (FLAG is 6, U, unless given). The write returns
 * when all are done.
 */
#include <linux/module.h>
#include <linux/completion.h>
#include <linux/kthread.h>

static unsigned int flag;
static unsigned long share, rest;
static atomic_t running;
static DECLARE_COMPLETION(done);

static int tw_storm_thread(void *number)
{
	unsigned long calls = share + ((unsigned long)number == 0 ? rest : 0), i;

	for (i = 0; i < calls; i++) {
		add_taint(flag, LOCKDEP_STILL_OK);
		cond_resched();
	}
	pr_info("tw_storm: thread %lu called add_taint %lu times\n", (unsigned long)number, calls);
	if (atomic_dec_and_test(&running))
		complete(&done);
	return 0;
}

static int tw_storm_go(const char *val, const struct kernel_param *kp)
{
	unsigned long calls, cpus, number;
	struct task_struct *task;

	flag = TAINT_USER;
	if (sscanf(val, "%lu %lu %u", &calls, &cpus, &flag) < 2)
		return -EINVAL;
	if (!cpus || cpus > num_online_cpus() || flag >= TAINT_FLAGS_COUNT)
		return -EINVAL;
	share = calls / cpus;
	rest = calls % cpus;
	reinit_completion(&done);
	atomic_set(&running, cpus);
	for (number = 0; number < cpus; number++) {
		task = kthread_create(tw_storm_thread, (void *)number, "tw_storm/%lu", number);
		if (IS_ERR(task))
			return PTR_ERR(task);
		kthread_bind(task, number);
		wake_up_process(task);
	}
	wait_for_completion(&done);
	return 0;
}

static const struct kernel_param_ops tw_storm_ops = { .set = tw_storm_go };
module_param_cb(go, &tw_storm_ops, NULL, 0200);

static int __init tw_storm_init(void)
{
	return 0;
}

static void __exit tw_storm_exit(void)
{
}

module_init(tw_storm_init);
module_exit(tw_storm_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("calls add_taint many times on many CPUs");
