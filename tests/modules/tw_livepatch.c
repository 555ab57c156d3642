// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Marked as a live patch; it patches nothing. */
#include <linux/module.h>

static int __init tw_livepatch_init(void)
{
	return 0;
}

static void __exit tw_livepatch_exit(void)
{
}

module_init(tw_livepatch_init);
module_exit(tw_livepatch_exit);
MODULE_INFO(livepatch, "Y");
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("a live patch");
