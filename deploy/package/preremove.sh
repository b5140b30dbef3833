#!/bin/sh
# Before removal; not before an upgrade, for which postinstall restarts.
set -e
case "$1" in
remove | 0)
  if [ -d /run/systemd/system ]; then
    systemctl disable --now cocbridge.service
  fi
  ;;
esac
