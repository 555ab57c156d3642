// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Does nothing. Loading it taints P, O, and E where it is unsigned. */
#include <linux/module.h>

static int __init tw_proprietary_init(void)
{
	return 0;
}

static void __exit tw_proprietary_exit(void)
{
}

module_init(tw_proprietary_init);
module_exit(tw_proprietary_exit);
MODULE_LICENSE("Proprietary");
MODULE_VERSION("1.2.3");
MODULE_DESCRIPTION("proprietary module that does nothing");
