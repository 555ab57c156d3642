// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Switches off every hardware breakpoint of every CPU, without their owners'
 * knowledge, as a rootkit would before it writes the mask.
 */
#include <linux/module.h>
#include <linux/smp.h>
#include <asm/debugreg.h>

static void tw_blind_cpu(void *unused)
{
	set_debugreg(0UL, 7);
}

static int __init tw_blind_init(void)
{
	on_each_cpu(tw_blind_cpu, NULL, 1);
	return 0;
}

static void __exit tw_blind_exit(void)
{
}

module_init(tw_blind_init);
module_exit(tw_blind_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("switches hardware breakpoints off");
