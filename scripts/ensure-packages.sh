#!/usr/bin/env bash
# Makes sure that Debian packages are installed: ensure-packages.sh PACKAGE...
# Installed ones are left alone, so a second run costs milliseconds and needs no network.
set -euo pipefail
missing=()
for package in "$@"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
  echo "These Debian packages are missing: ${missing[*]}. Install them as root: apt-get install ${missing[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# Services that a package brings must not start by themselves: what this project starts, it starts and stops itself.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
# Two runs side by side wait for each other instead of failing on dpkg's lock.
install=(apt-get -o DPkg::Lock::Timeout=600 install -y -q --no-install-recommends "${missing[@]}")
"${install[@]}" >&2 || { apt-get -o DPkg::Lock::Timeout=600 update -q >&2 && "${install[@]}" >&2; }
