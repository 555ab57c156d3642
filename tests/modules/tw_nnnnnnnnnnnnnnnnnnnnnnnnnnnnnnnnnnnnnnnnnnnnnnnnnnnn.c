// SPDX-License-Identifier: GPL-2.0 OR MIT
/* A name of 55 bytes, the longest that there is. */
#include <linux/module.h>

static int __init tw_long_init(void)
{
	return 0;
}

static void __exit tw_long_exit(void)
{
}

module_init(tw_long_init);
module_exit(tw_long_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("the longest name");
