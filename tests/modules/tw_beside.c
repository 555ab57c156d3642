// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Writes beside the taint mask, in its page, what is there already; and writes the mask
 * by an operand that cannot be found again. `address` is that of tainted_mask; `op` is
 *   write:N   N stores all over the page, but for the mask
 *   trap:N    N stores right behind the mask, with the debug register moved there: the
 *             owner of the watchpoint gets a trap for each
 *   fs:HEX    one store to the mask, relative to FS
 */
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <asm/debugreg.h>

static unsigned long address;
module_param(address, ulong, 0400);

/* A store like any other, and harmless wherever other code writes as well. */
static noinline void tw_beside_store(unsigned long *word)
{
	asm volatile("lock orq $0, %0" : "+m" (*word) : : "memory", "cc");
}

static void tw_beside_write(unsigned long count)
{
	unsigned long *page = (unsigned long *)(address & PAGE_MASK), number;

	for (number = 0; number < count; number++) {
		unsigned long *word = page + number % (PAGE_SIZE / sizeof(*page));

		if (word != (unsigned long *)address)
			tw_beside_store(word);
		if (number % 1024 == 0)
			cond_resched();
	}
}

static int tw_beside_trap(unsigned long count)
{
	unsigned long *behind = (unsigned long *)address + 1, flags, watched;
	int slot, found = -1;

	local_irq_save(flags);
	for (slot = 0; slot < 4; slot++) {
		get_debugreg(watched, slot);
		if (watched == address)
			found = slot;
	}
	if (found >= 0) {
		set_debugreg((unsigned long)behind, found);
		while (count--)
			tw_beside_store(behind);
		set_debugreg(address, found);
	}
	local_irq_restore(flags);
	return found < 0 ? -ENODEV : 0;
}

/* The base is that of the program that asked: it is its own matter, and no kernel code uses it. */
static noinline void tw_beside_fs(unsigned long value)
{
	unsigned long flags, low, high;

	local_irq_save(flags);
	asm volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (0xc0000100));
	asm volatile("movq %1, %%fs:(%0)" : : "r" (address - (low | high << 32)), "r" (value) : "memory");
	local_irq_restore(flags);
}

static int tw_beside_op(const char *val, const struct kernel_param *kp)
{
	unsigned long value;

	if (!address)
		return -EINVAL;
	if (sscanf(val, "write:%lu", &value) == 1)
		tw_beside_write(value);
	else if (sscanf(val, "trap:%lu", &value) == 1)
		return tw_beside_trap(value);
	else if (sscanf(val, "fs:%lx", &value) == 1)
		tw_beside_fs(value);
	else
		return -EINVAL;
	return 0;
}

static const struct kernel_param_ops tw_beside_ops = { .set = tw_beside_op };
module_param_cb(op, &tw_beside_ops, NULL, 0200);

static int __init tw_beside_init(void)
{
	return 0;
}

static void __exit tw_beside_exit(void)
{
}

module_init(tw_beside_init);
module_exit(tw_beside_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("writes beside the taint mask");
