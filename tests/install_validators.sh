#!/usr/bin/env bash
# The programs that integration tests let check rendered files: caddy and amtool, from Debian's packages.
# Tests that need one that is not there say so and skip.
set -euo pipefail
missing=()
command -v caddy > /dev/null || missing+=(caddy)
command -v amtool > /dev/null || missing+=(prometheus-alertmanager)
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
  echo "Not installed: ${missing[*]}. Their tests will skip; on Debian: sudo apt-get install ${missing[*]}" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# Only the programs: policy-rc.d keeps their services from starting.
policy=/usr/sbin/policy-rc.d
[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod +x "$policy"; trap 'rm -f "$policy"' EXIT; }
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
