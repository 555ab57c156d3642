// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Writes one byte behind an object; seen when it is freed, with slub_debug=FZ. */
#include <linux/module.h>
#include <linux/slab.h>

static noinline void tw_overflow_write(volatile char *object)
{
	object[64] = 0x55;
}

static int __init tw_overflow_init(void)
{
	char *object = kmalloc(64, GFP_KERNEL);

	if (!object)
		return -ENOMEM;
	tw_overflow_write(object);
	kfree(object);
	return 0;
}

static void __exit tw_overflow_exit(void)
{
}

module_init(tw_overflow_init);
module_exit(tw_overflow_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("overwrites memory");
