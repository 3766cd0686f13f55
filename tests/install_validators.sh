#!/usr/bin/env bash
# The programs that tests use, from Debian's packages: caddy, amtool and shellcheck check rendered files, an image
# registry answers `turnscope lock`. A test whose program is missing says so and is skipped.
set -euo pipefail
missing=()
command -v caddy > /dev/null || missing+=(caddy)
command -v amtool > /dev/null || missing+=(prometheus-alertmanager)
command -v docker-registry > /dev/null || missing+=(docker-registry)
command -v shellcheck > /dev/null || missing+=(shellcheck)
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
  echo "Not installed: ${missing[*]}. Their tests are skipped; on Debian: sudo apt-get install ${missing[*]}" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# Only the programs: policy-rc.d keeps their services from starting.
policy=/usr/sbin/policy-rc.d
[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod +x "$policy"; trap 'rm -f "$policy"' EXIT; }
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
