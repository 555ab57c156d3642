// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Warns (W) while it is loaded, from its init text, which is freed right after. */
#include <linux/module.h>

static int __init tw_warn_init_init(void)
{
	WARN(1, "tw_warn_init warns on purpose\n");
	return 0;
}

static void __exit tw_warn_init_exit(void)
{
}

module_init(tw_warn_init_init);
module_exit(tw_warn_init_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("warns in its init function");
