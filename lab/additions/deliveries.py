"""SNS deliveries that must not leave this machine.

AWS calls the endpoints of `http` and `https` subscriptions and runs the functions of `lambda` ones.

moto would call the endpoints too, without a time limit, so that a local experiment could page someone; and it
runs functions in Docker, which a laptop may not have. Here an endpoint is called only when it is on this
machine, and no function is run; both are logged.
"""

from __future__ import annotations

import logging
from typing import Any

import httpx
from moto.core.config import default_user_config
from moto.sns.models import Subscription

from lab.loopback import on_this_machine

log = logging.getLogger(__name__)

ENDPOINT_TIMEOUT_SECONDS = 5

_publish = Subscription.publish


def publish(self: Subscription, message: str, message_id: str, **kwargs: Any) -> None:
    name = self.topic.name
    if self.protocol == "lambda":
        log.info("lab: Lambda functions are not invoked: %s, for topic %s", self.endpoint.rsplit(":", 1)[-1], name)
    elif self.protocol not in ("http", "https"):
        _publish(self, message, message_id, **kwargs)
    elif not on_this_machine(self.endpoint):
        log.info("lab: not sent outside this machine: %s of topic %s", self.protocol, name)
    else:
        body = self.get_post_data(message, message_id, kwargs.get("subject"))
        try:
            # Neither a proxy nor a redirect takes it off this machine.
            httpx.post(
                self.endpoint,
                json=body,
                headers={"Content-Type": "text/plain; charset=UTF-8"},
                timeout=ENDPOINT_TIMEOUT_SECONDS,
                trust_env=False,
                follow_redirects=False,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            log.warning("lab: %s of topic %s: %s", self.protocol, name, type(error).__name__)


def install() -> None:
    Subscription.publish = publish  # pyright: ignore[reportAttributeAccessIssue]
    default_user_config["lambda"] = {"use_docker": False}
