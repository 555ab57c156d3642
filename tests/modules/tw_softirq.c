// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Calls add_taint() from a tasklet that runs in the task which lets softirqs run
 * again: write a flag's bit number to the parameter `fire`. Whoever writes is only
 * the carrier, with PREEMPT_RT as well, where the preemption counter does not show
 * it. The write returns when it is done.
 */
#include <linux/module.h>
#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/interrupt.h>

static unsigned int flag;
static pid_t carrier;
static DECLARE_COMPLETION(done);

/* Prints last: add_taint() as the last call would become a jump, and leave no frame. */
static void tw_softirq_tasklet(struct tasklet_struct *tasklet)
{
	add_taint(flag, LOCKDEP_STILL_OK);
	pr_info("tw_softirq: flag %u, in %d, written by %d\n", flag, current->pid, carrier);
	complete(&done);
}

static DECLARE_TASKLET(tasklet, tw_softirq_tasklet);

static int tw_softirq_set(const char *val, const struct kernel_param *kp)
{
	int result = kstrtouint(val, 0, &flag);

	if (result)
		return result;
	if (flag >= TAINT_FLAGS_COUNT)
		return -EINVAL;
	reinit_completion(&done);
	carrier = current->pid;
	local_bh_disable();
	tasklet_schedule(&tasklet);
	local_bh_enable();
	wait_for_completion(&done);
	return 0;
}

static const struct kernel_param_ops tw_softirq_ops = { .set = tw_softirq_set };
module_param_cb(fire, &tw_softirq_ops, NULL, 0200);

static int __init tw_softirq_init(void)
{
	return 0;
}

static void __exit tw_softirq_exit(void)
{
	tasklet_kill(&tasklet);
}

module_init(tw_softirq_init);
module_exit(tw_softirq_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("taints from a softirq in the task that lets softirqs run");
