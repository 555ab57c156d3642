// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The driver that tw_device asks for. It drives nothing. */
#include <linux/module.h>

static int __init tw_driver_init(void)
{
	return 0;
}

static void __exit tw_driver_exit(void)
{
}

module_init(tw_driver_init);
module_exit(tw_driver_exit);
MODULE_ALIAS("platform:tw_device");
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("the driver of tw_device");
