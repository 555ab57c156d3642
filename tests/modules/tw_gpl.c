// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Does nothing. Loading it taints O, and E where it is unsigned. */
#include <linux/module.h>

static int __init tw_gpl_init(void)
{
	return 0;
}

static void __exit tw_gpl_exit(void)
{
}

module_init(tw_gpl_init);
module_exit(tw_gpl_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("out-of-tree module that does nothing");
