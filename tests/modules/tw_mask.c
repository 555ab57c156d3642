// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Writes the taint mask past add_taint(), as a rootkit would. `address` is that of
 * tainted_mask (kallsyms); `op` is "set:BIT", "clear:BIT", "zero" or "store:HEX",
 * written at load or later through sysfs.
 */
#include <linux/module.h>
#include <linux/bitops.h>

static unsigned long address;
module_param(address, ulong, 0400);

static noinline void tw_mask_set(unsigned long *mask, unsigned long bit)
{
	set_bit(bit, mask);
}

static noinline void tw_mask_clear(unsigned long *mask, unsigned long bit)
{
	clear_bit(bit, mask);
}

static noinline void tw_mask_store(unsigned long *mask, unsigned long value)
{
	WRITE_ONCE(*mask, value);
}

static int tw_mask_do(const char *op)
{
	unsigned long *mask = (unsigned long *)address;
	unsigned long value;

	if (!address)
		return -EINVAL;
	if (sysfs_streq(op, "zero"))
		tw_mask_store(mask, 0);
	else if (sscanf(op, "set:%lu", &value) == 1 && value < BITS_PER_LONG)
		tw_mask_set(mask, value);
	else if (sscanf(op, "clear:%lu", &value) == 1 && value < BITS_PER_LONG)
		tw_mask_clear(mask, value);
	else if (sscanf(op, "store:%lx", &value) == 1)
		tw_mask_store(mask, value);
	else
		return -EINVAL;
	return 0;
}

static char first[32];
static bool initialised;

/* Parameters are set in the order in which they are given: during the load, wait for `address`. */
static int tw_mask_op(const char *val, const struct kernel_param *kp)
{
	if (initialised)
		return tw_mask_do(val);
	strscpy(first, val, sizeof(first));
	return 0;
}

static const struct kernel_param_ops tw_mask_ops = { .set = tw_mask_op };
module_param_cb(op, &tw_mask_ops, NULL, 0200);

static int __init tw_mask_init(void)
{
	initialised = true;
	return first[0] ? tw_mask_do(first) : 0;
}

static void __exit tw_mask_exit(void)
{
}

module_init(tw_mask_init);
module_exit(tw_mask_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("writes the taint mask directly");
