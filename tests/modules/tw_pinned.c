// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Takes a reference on itself, so that it can be unloaded only by force. */
#include <linux/module.h>

static int __init tw_pinned_init(void)
{
	__module_get(THIS_MODULE);
	return 0;
}

static void __exit tw_pinned_exit(void)
{
}

module_init(tw_pinned_init);
module_exit(tw_pinned_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("a module that is always in use");
