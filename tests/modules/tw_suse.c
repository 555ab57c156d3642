// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Stands in for SUSE's loader, which sets two flags of its own (patches.suse/add-suse-supported-flag.patch):
 * load it with support=external@BIT or support=none@BIT. It taints while it is loaded, with SUSE's lines in the log.
 */
#include <linux/module.h>

static int tw_suse_set(const char *val, const struct kernel_param *kp)
{
	unsigned int bit;

	if (sscanf(val, "external@%u", &bit) == 1 && bit < 32) {
		pr_notice("%s: externally supported module, setting X kernel taint flag.\n",
			  KBUILD_MODNAME);
		add_taint(bit, LOCKDEP_STILL_OK);
		return 0;
	}
	if (sscanf(val, "none@%u", &bit) == 1 && bit < 32) {
		pr_warn("%s: module is not supported by SUSE. Our support organization may not be able to address your support request if it involves a kernel fault.\n",
			KBUILD_MODNAME);
		add_taint(bit, LOCKDEP_STILL_OK);
		return 0;
	}
	return -EINVAL;
}

static const struct kernel_param_ops tw_suse_ops = { .set = tw_suse_set };
module_param_cb(support, &tw_suse_ops, NULL, 0200);

static int __init tw_suse_init(void)
{
	return 0;
}

static void __exit tw_suse_exit(void)
{
}

module_init(tw_suse_init);
module_exit(tw_suse_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("sets SUSE's flags as its loader does");
