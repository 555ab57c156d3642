// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Takes itself off the list of modules, as a rootkit would, and then calls
 * add_taint() from a timer.
 */
#include <linux/module.h>
#include <linux/list.h>
#include <linux/timer.h>

static struct timer_list timer;

static noinline void tw_hidden_fire(struct timer_list *unused)
{
	add_taint(TAINT_FIRMWARE_WORKAROUND, LOCKDEP_STILL_OK);
	pr_info("tw_hidden: fired\n");
}

static int __init tw_hidden_init(void)
{
	timer_setup(&timer, tw_hidden_fire, 0);
	list_del_init(&THIS_MODULE->list);
	mod_timer(&timer, jiffies + HZ / 2);
	return 0;
}

module_init(tw_hidden_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("taints while it hides");
