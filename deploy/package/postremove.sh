#!/bin/sh
# The store and the secrets stay until a purge, which rpm does not have. The user
# stays for good: what it owned elsewhere must not fall to the next one made.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
if [ "$1" = purge ]; then
  rm -rf /var/lib/cocbridge /etc/cocbridge
fi
