// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Licence and version hold control characters and markup, which must not be printed as they are. */
#include <linux/module.h>

static int __init tw_hostile_init(void)
{
	return 0;
}

static void __exit tw_hostile_exit(void)
{
}

module_init(tw_hostile_init);
module_exit(tw_hostile_exit);
MODULE_LICENSE("no\033[31m red\nnew line <b>&");
MODULE_VERSION("1\033]0;title\007");
MODULE_DESCRIPTION("hostile texts");
