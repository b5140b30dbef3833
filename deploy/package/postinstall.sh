#!/bin/sh
# After install and upgrade, of the deb ("configure") and of the rpm (a number).
set -e
getent passwd cocbridge >/dev/null ||
  useradd --system --user-group --home-dir /var/lib/cocbridge --no-create-home --shell /usr/sbin/nologin cocbridge
# Empty files for the two secrets, so that nobody writes them with a wrong mode.
for secret in secret_key integration_key; do
  [ -e "/etc/cocbridge/$secret" ] || install -m 600 /dev/null "/etc/cocbridge/$secret"
done
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart cocbridge.service
fi
