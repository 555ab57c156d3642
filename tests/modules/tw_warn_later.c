// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Warns (W) from a work item, `delay_ms` after its load: load_module has returned by then. */
#include <linux/module.h>
#include <linux/workqueue.h>

static unsigned int delay_ms = 200;
module_param(delay_ms, uint, 0444);

static void tw_warn_later_work(struct work_struct *work)
{
	WARN(1, "tw_warn_later warns on purpose\n");
}

static DECLARE_DELAYED_WORK(tw_warn_later, tw_warn_later_work);

static int __init tw_warn_later_init(void)
{
	schedule_delayed_work(&tw_warn_later, msecs_to_jiffies(delay_ms));
	return 0;
}

static void __exit tw_warn_later_exit(void)
{
	cancel_delayed_work_sync(&tw_warn_later);
}

module_init(tw_warn_later_init);
module_exit(tw_warn_later_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("warns from a work item");
