// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Fails to load: it needs a symbol that no kernel has. The flags O, P and E are
 * set before symbols are resolved, and stay; no tracepoint fires for the module.
 */
#include <linux/module.h>

extern void tw_symbol_that_no_kernel_has(void);

static int __init tw_unresolved_init(void)
{
	tw_symbol_that_no_kernel_has();
	return 0;
}

module_init(tw_unresolved_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("needs a symbol that no kernel has");
