// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Marked as a test module; kernels before 6.0 ignore the mark. */
#include <linux/module.h>

static int __init tw_test_init(void)
{
	return 0;
}

static void __exit tw_test_exit(void)
{
}

module_init(tw_test_init);
module_exit(tw_test_exit);
MODULE_INFO(test, "Y");
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("an in-kernel test");
