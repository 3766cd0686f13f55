"""lab: the public keys that were pushed for a user of this machine (EC2 Instance Connect), for sshd.

As the program of AWS does: asked of the metadata service with a token, and none that is over. That one also verifies
a signature of AWS, which the lab does not have.
https://github.com/aws/aws-ec2-instance-connect-config/blob/master/src/bin/eic_parse_authorized_keys
"""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

SERVICE = "http://169.254.169.254/latest"
SECONDS = 5


def ask(path: str, method: str = "GET", **headers: str) -> str:
    named = {f"X-aws-ec2-metadata-{name.replace('_', '-')}": value for name, value in headers.items()}
    request = urllib.request.Request(f"{SERVICE}/{path}", method=method, headers=named)  # noqa: S310
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=SECONDS) as answer:
        return answer.read().decode()


def keys(text: str) -> Iterator[str]:
    until = 0
    for line in text.splitlines():
        if line.startswith("#Timestamp="):
            until = int(line.partition("=")[2])
        elif line.startswith(("ssh-", "ecdsa-")) and until > time.time():
            yield line


def main() -> int:
    try:
        token = ask("api/token", "PUT", token_ttl_seconds="60")  # noqa: S106
        print("\n".join(keys(ask(f"meta-data/managed-ssh-keys/active-keys/{sys.argv[1]}/", token=token))))
    except urllib.error.HTTPError as error:
        return 0 if error.code == 404 else 1  # no keys for this user
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
