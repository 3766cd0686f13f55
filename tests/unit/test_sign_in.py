"""Who signs in to a stack's SigNoz, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from core.secrets.reference import SecretRef
from stacks.settings.model import Settings
from tests.stack_settings import validate
from tests.unit.conftest import MINIMAL, SIGNOZ
from turnscope.sign_in import Administrator, administrator

ADDRESSED = {**SIGNOZ, "gateway": {"hostname": "signoz.example.com", "ui_port": 8443}}


def settings(**over: Any) -> Settings:
    return validate({**MINIMAL, **over}, source=Path("test"))


def test_the_administrator_is_the_settings_root_user() -> None:
    assert administrator("dev", settings(signoz=ADDRESSED)) == Administrator(
        "https://signoz.example.com:8443", "ops@example.com", SecretRef("signoz.root_user.password")
    )


@pytest.mark.parametrize(
    ("signoz", "words"),
    [
        (None, "Stack dev has no SigNoz"),
        (
            {**ADDRESSED, "release": "0.75.0", "root_user": None, "content": None},
            "the first person who opens https://signoz.example",
        ),
    ],
)
def test_where_there_is_none_it_is_said(signoz: dict[str, Any] | None, words: str) -> None:
    with pytest.raises(UserError, match=words):
        administrator("dev", settings(signoz=signoz))
