// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Marked as a module from the staging directory. */
#include <linux/module.h>

static int __init tw_staging_init(void)
{
	return 0;
}

static void __exit tw_staging_exit(void)
{
}

module_init(tw_staging_init);
module_exit(tw_staging_exit);
MODULE_INFO(staging, "Y");
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("a staging driver");
