// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Fails to load: its init function returns -err. Leaves O and E behind, and no module. */
#include <linux/module.h>

static int err = 57; /* EBADSLT: no other code returns it */
module_param(err, int, 0444);

static int __init tw_fail_init_init(void)
{
	return -err;
}

module_init(tw_fail_init_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("fails in its init function");
