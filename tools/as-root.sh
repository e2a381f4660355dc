#!/bin/sh
# Runs a command as root: as it is when we are, with sudo when there is one.
set -e
if [ "$(id -u)" = 0 ]; then
  DEBIAN_FRONTEND=noninteractive exec "$@"
elif command -v sudo >/dev/null 2>&1; then
  exec sudo DEBIAN_FRONTEND=noninteractive "$@"
fi
echo "need root to run: $*" >&2
exit 1
