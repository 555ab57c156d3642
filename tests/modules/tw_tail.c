// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Calls add_taint(FLAG) from functions that others call through a pointer: write "FLAG BY HOW [TIMES]"
 * to the parameter `fire`. BY is work, other-work, tasklet, timer, ipi, notifier or kthread. HOW is
 * jump, where the call is the function's last and becomes a jump, which leaves no frame, or call.
 * The write returns when all is done.
 */
#include <linux/module.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/notifier.h>
#include <linux/smp.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

static unsigned int flag;
static int calls;
static DECLARE_COMPLETION(done);

static noinline void tw_tail_jump(void)
{
	add_taint(flag, LOCKDEP_STILL_OK);
}

static noinline void tw_tail_call(void)
{
	add_taint(flag, LOCKDEP_STILL_OK);
	WRITE_ONCE(calls, calls + 1);
}

/* Each pair does the same: one with its call last, one with more behind it. */
#define PAIR(name, type) \
	static void name##_jump(type unused) { add_taint(flag, LOCKDEP_STILL_OK); } \
	static void name##_call(type unused) \
	{ \
		add_taint(flag, LOCKDEP_STILL_OK); \
		WRITE_ONCE(calls, calls + 1); \
	}

PAIR(tw_tail_work, struct work_struct *)
PAIR(tw_tail_other_work, struct work_struct *)
PAIR(tw_tail_tasklet, struct tasklet_struct *)
PAIR(tw_tail_timer, struct timer_list *)
PAIR(tw_tail_ipi, void *)

static DECLARE_WORK(work_jump, tw_tail_work_jump);
static DECLARE_WORK(work_call, tw_tail_work_call);
static DECLARE_WORK(other_work_jump, tw_tail_other_work_jump);
static DECLARE_WORK(other_work_call, tw_tail_other_work_call);
static struct tasklet_struct tasklet_jump, tasklet_call;
static struct timer_list timer_jump, timer_call;

/* These return a number: only a function that they call can end in a jump. */
static int tw_tail_notified(struct notifier_block *block, unsigned long jump, void *unused)
{
	if (jump)
		tw_tail_jump();
	else
		tw_tail_call();
	return NOTIFY_OK;
}

static struct notifier_block notifier = { .notifier_call = tw_tail_notified };
static ATOMIC_NOTIFIER_HEAD(chain);

static int tw_tail_kthread(void *jump)
{
	if (jump)
		tw_tail_jump();
	else
		tw_tail_call();
	complete(&done);
	return 0;
}

static int tw_tail_other_cpu(smp_call_func_t function)
{
	int cpu, result;

	cpu = get_cpu();
	cpu = cpumask_any_but(cpu_online_mask, cpu);
	result = cpu < nr_cpu_ids ? smp_call_function_single(cpu, function, NULL, 1) : -ENODEV;
	put_cpu();
	return result;
}

static int tw_tail_once(const char *by, bool jump)
{
	struct work_struct *work = NULL;
	struct task_struct *task;

	if (!strcmp(by, "work"))
		work = jump ? &work_jump : &work_call;
	else if (!strcmp(by, "other-work"))
		work = jump ? &other_work_jump : &other_work_call;
	if (work) {
		schedule_work(work);
		flush_work(work);
	} else if (!strcmp(by, "tasklet")) {
		struct tasklet_struct *tasklet = jump ? &tasklet_jump : &tasklet_call;

		tasklet_schedule(tasklet);
		tasklet_kill(tasklet);
	} else if (!strcmp(by, "timer")) {
		struct timer_list *timer = jump ? &timer_jump : &timer_call;

		mod_timer(timer, jiffies + 1);
		do
			msleep(10);
		while (timer_pending(timer));
	} else if (!strcmp(by, "ipi")) {
		return tw_tail_other_cpu(jump ? tw_tail_ipi_jump : tw_tail_ipi_call);
	} else if (!strcmp(by, "notifier")) {
		atomic_notifier_call_chain(&chain, jump, NULL);
	} else if (!strcmp(by, "kthread")) {
		reinit_completion(&done);
		task = kthread_run(tw_tail_kthread, (void *)(unsigned long)jump, "tw_tail");
		if (IS_ERR(task))
			return PTR_ERR(task);
		wait_for_completion(&done);
	} else {
		return -EINVAL;
	}
	return 0;
}

static int tw_tail_fire(const char *val, const struct kernel_param *kp)
{
	unsigned int times = 1;
	char by[16], how[8];
	int result = 0;

	if (sscanf(val, "%u %15s %7s %u", &flag, by, how, &times) < 3 || flag >= TAINT_FLAGS_COUNT)
		return -EINVAL;
	while (times-- && !result)
		result = tw_tail_once(by, !strcmp(how, "jump"));
	return result;
}

static const struct kernel_param_ops tw_tail_ops = { .set = tw_tail_fire };
module_param_cb(fire, &tw_tail_ops, NULL, 0200);

static int __init tw_tail_init(void)
{
	tasklet_setup(&tasklet_jump, tw_tail_tasklet_jump);
	tasklet_setup(&tasklet_call, tw_tail_tasklet_call);
	timer_setup(&timer_jump, tw_tail_timer_jump, 0);
	timer_setup(&timer_call, tw_tail_timer_call, 0);
	return atomic_notifier_chain_register(&chain, &notifier);
}

static void __exit tw_tail_exit(void)
{
	atomic_notifier_chain_unregister(&chain, &notifier);
	msleep(50);
}

module_init(tw_tail_init);
module_exit(tw_tail_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("taints from functions that leave no frame");
