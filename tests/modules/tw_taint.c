// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Calls add_taint() with any flag in any context: write "FLAG CONTEXT" to the
 * parameter `fire`. CONTEXT is task, kthread, work, softirq, hardirq or nmi. The
 * write returns when it is done.
 *
 * nmi is the debug exception of a hardware breakpoint on a variable of our own:
 * the kernel enters it as an NMI (exc_debug_kernel, 5.8 and later), and no other
 * way that is exported to modules is as reliable.
 */
#include <linux/module.h>
#include <linux/completion.h>
#include <linux/hw_breakpoint.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/perf_event.h>
#include <linux/smp.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

static unsigned int flag;
static unsigned long watched;
static bool fired;
static DECLARE_COMPLETION(done);

/* Prints its context last: add_taint() as the last call would become a jump, and leave no frame. */
static noinline void tw_taint_fire(void)
{
	add_taint(flag, LOCKDEP_STILL_OK);
	pr_info("tw_taint: flag %u, nmi %d, hardirq %d, softirq %d\n", flag, !!in_nmi(),
		!!(hardirq_count() && !in_nmi()), !!in_serving_softirq());
}

static int tw_taint_kthread(void *unused)
{
	tw_taint_fire();
	complete(&done);
	return 0;
}

static void tw_taint_work(struct work_struct *work)
{
	tw_taint_fire();
	complete(&done);
}

static DECLARE_WORK(work, tw_taint_work);

static void tw_taint_timer(struct timer_list *timer)
{
	tw_taint_fire();
	complete(&done);
}

static DEFINE_TIMER(timer, tw_taint_timer);

/* Runs on another CPU, by IPI. */
static void tw_taint_ipi(void *unused)
{
	tw_taint_fire();
}

static void tw_taint_breakpoint(struct perf_event *event, struct perf_sample_data *data,
				struct pt_regs *regs)
{
	tw_taint_fire();
	fired = true;
}

static int tw_taint_hardirq(void)
{
	int cpu, result;

	cpu = get_cpu();
	cpu = cpumask_any_but(cpu_online_mask, cpu);
	result = cpu < nr_cpu_ids ? smp_call_function_single(cpu, tw_taint_ipi, NULL, 1) : -ENODEV;
	put_cpu();
	return result;
}

static int tw_taint_nmi(void)
{
	struct perf_event * __percpu *events;
	struct perf_event_attr attr;
	void *result;

	hw_breakpoint_init(&attr);
	attr.bp_addr = (unsigned long)&watched;
	attr.bp_len = HW_BREAKPOINT_LEN_8;
	attr.bp_type = HW_BREAKPOINT_W;
	events = register_wide_hw_breakpoint(&attr, tw_taint_breakpoint, NULL);
	result = (void *)(__force unsigned long)events;
	if (IS_ERR(result))
		return PTR_ERR(result);
	fired = false;
	WRITE_ONCE(watched, 1);
	unregister_wide_hw_breakpoint(events);
	return fired ? 0 : -EIO;
}

static int tw_taint_set(const char *val, const struct kernel_param *kp)
{
	struct task_struct *task;
	char context[16];

	if (sscanf(val, "%u %15s", &flag, context) != 2 || flag >= TAINT_FLAGS_COUNT)
		return -EINVAL;
	reinit_completion(&done);
	if (!strcmp(context, "task")) {
		tw_taint_fire();
		return 0;
	}
	if (!strcmp(context, "hardirq"))
		return tw_taint_hardirq();
	if (!strcmp(context, "nmi"))
		return tw_taint_nmi();
	if (!strcmp(context, "kthread")) {
		task = kthread_run(tw_taint_kthread, NULL, "tw_kthread");
		if (IS_ERR(task))
			return PTR_ERR(task);
	} else if (!strcmp(context, "work")) {
		schedule_work(&work);
	} else if (!strcmp(context, "softirq")) {
		mod_timer(&timer, jiffies + 1);
	} else {
		return -EINVAL;
	}
	wait_for_completion(&done);
	return 0;
}

static const struct kernel_param_ops tw_taint_ops = { .set = tw_taint_set };
module_param_cb(fire, &tw_taint_ops, NULL, 0200);

static int __init tw_taint_init(void)
{
	return 0;
}

static void __exit tw_taint_exit(void)
{
}

module_init(tw_taint_init);
module_exit(tw_taint_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("taints with any flag in any context");
