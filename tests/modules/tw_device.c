// SPDX-License-Identifier: GPL-2.0 OR MIT
/* A device that announces itself by the alias platform:tw_device: udev looks for a driver, and finds tw_driver. */
#include <linux/module.h>
#include <linux/platform_device.h>

static struct platform_device *device;

static int __init tw_device_init(void)
{
	device = platform_device_register_simple("tw_device", PLATFORM_DEVID_NONE, NULL, 0);
	return PTR_ERR_OR_ZERO(device);
}

static void __exit tw_device_exit(void)
{
	platform_device_unregister(device);
}

module_init(tw_device_init);
module_exit(tw_device_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("a device that asks for a driver");
