#!/bin/bash
# Puts taintwatch into the initial file system where its daemon is enabled. After enabling or disabling the daemon:
# `dracut --force`.

check() {
    require_binaries taintwatch || return 1
    systemctl ${dracutsysrootdir:+--root "$dracutsysrootdir"} is-enabled --quiet taintwatch.service 2>/dev/null || return 255
    return 0
}

install() {
    inst_binary taintwatch
    inst_simple /etc/taintwatch/taintwatch.toml
    # Before udev, and before the first module.
    inst_hook pre-udev 01 "$moddir/attach.sh"
}
