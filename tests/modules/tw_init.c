// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Calls add_taint(6) so many times from its init function, whose memory is freed behind it. */
#include <linux/module.h>

static unsigned int times = 1;
module_param(times, uint, 0);

static int __init tw_init_init(void)
{
	unsigned int i;

	for (i = 0; i < times; i++)
		add_taint(TAINT_USER, LOCKDEP_STILL_OK);
	return 0;
}

static void __exit tw_init_exit(void)
{
}

module_init(tw_init_init);
module_exit(tw_init_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("taints from its init function");
