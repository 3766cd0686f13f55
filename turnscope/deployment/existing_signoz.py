"""Before a run: does an existing SigNoz take the key?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from core.errors import UserError
from signoz.content.access import SET_KEY
from signoz.content.api.client import SigNozClient
from signoz.content.api.errors import ApiError, Forbidden, Unauthorized
from signoz.content.api.http import RetryPolicy
from signoz.content.resource_types import EXISTING_SERVER_TYPE, TYPE_PREFIX
from stacks.settings.existing_signoz import ExistingSigNoz
from turnscope.deployment.stack_state import revealed

ANSWERS_WITHIN_SECONDS = 10.0


def checked_client(stack: str, settings: ExistingSigNoz, api_key: str) -> SigNozClient:
    """What reads and writes its content. Raises `UserError`, with nothing changed, where it cannot be reached, is not
    SigNoz, is older than content requires, or rejects the key."""
    client = _client(settings.url, settings.root_certificate_pem, api_key)
    try:
        client.organisation()
    except (Unauthorized, Forbidden) as error:
        raise UserError(f"{error} {SET_KEY.replace('STACK', stack)}") from None
    except ApiError as error:
        raise UserError(str(error)) from None
    return client


def refuse_revoked_key(stack: str, state: Iterable[Mapping[str, Any]]) -> None:
    """Raises `UserError` where the existing SigNoz in a stack's state cannot be reached, or rejects the key that its
    content was deployed with: a deletion has no other."""
    for each in state:
        if each["type"] != f"{TYPE_PREFIX}{EXISTING_SERVER_TYPE}" or each.get("delete"):
            continue
        known = {name: revealed(value) for name, value in each.get("outputs", {}).items()}
        try:
            _client(known["address"], known.get("root_certificate"), known["api_key"]).organisation()
        except (Unauthorized, Forbidden) as error:
            raise UserError(
                f"{error} The content of stack {stack} was deployed with this key; no resource was deleted. "
                f"{SET_KEY.replace('STACK', stack)} Then run `turnscope up {stack}`, and after it "
                f"`turnscope teardown {stack}`."
            ) from None
        except ApiError as error:
            raise UserError(
                f"{error} No resource was deleted. For a SigNoz that does not exist any more: "
                "docs/how-to/existing-signoz.md."
            ) from None


def _client(address: str, root_certificate: str | None, api_key: str) -> SigNozClient:
    return SigNozClient(
        address,
        api_key=api_key,
        root_certificate=root_certificate,
        retry_policy=RetryPolicy(ANSWERS_WITHIN_SECONDS),
        use_proxy=True,
    )
