"""What settings are made of: the base model, and kinds of values that say in words what they allow."""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function

from core.secrets.placeholders import HIDDEN
from core.secrets.reference import SecretRef


def problem(message: str) -> PydanticCustomError:
    """An error between fields, whose text says what is allowed; of a field alone, its JSON schema says so."""
    return PydanticCustomError("turnscope", "{message}", {"message": message})


def problems_below(title: str, found: Iterable[tuple[tuple[str, ...], object, str]]) -> ValidationError | None:
    """Errors of settings below the one that is validated, each with its location there, value and text; None for none.
    pydantic puts them in the place of one error of the whole."""
    errors = [InitErrorDetails(type=problem(message), loc=location, input=value) for location, value, message in found]
    return ValidationError.from_exception_data(title, errors) if errors else None


@dataclass(frozen=True)
class Matching:
    """A text that matches the whole of `pattern` (of Python and of ECMAScript alike); `words` say it to a reader."""

    pattern: str
    words: str
    format: str = ""
    """JSON Schema's name of what the text is."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        kind = {"format": self.format} if self.format else {}
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$", "patternErrorMessage": self.words, **kind}

    def _check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value, re.ASCII):
            raise ValueError(self.words)
        return value


@dataclass(frozen=True)
class Described:
    """What an entry of a mapping is, whose names are free: it has no field with a docstring."""

    text: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(lambda value: value, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "description": self.text}


@dataclass(frozen=True)
class OneOf:
    """A value out of a list."""

    values: tuple[Any, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self.values)}

    def _check(self, value: Any) -> Any:
        if value not in self.values:
            raise ValueError(self.values)
        return value


def _number(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, str) and not re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", value, re.A)):
        raise ValueError(value)
    return value


def _true_or_false(value: object) -> object:
    if isinstance(value, bool) or value in ("true", "false"):
        return value
    raise ValueError(value)


def _date(value: object) -> object:
    if type(value) is datetime.date:
        return value
    if isinstance(value, str) and (found := re.fullmatch(r"(\d{4}-\d\d-\d\d)( 00:00:00 \+0000 UTC)?", value, re.A)):
        return datetime.date.fromisoformat(found[1])
    raise ValueError(value)


def _is_encrypted(value: object) -> SecretRef:
    if isinstance(value, SecretRef):
        return value
    raise ValueError("plain text")


def _time_zone(value: str) -> str:
    if value not in zoneinfo.available_timezones():
        raise problem("allowed: a name of the IANA time zone database, such as UTC or Europe/Berlin")
    return value


NUMBER = BeforeValidator(_number)
"""Numbers, also as text, which is how `pulumi config set` writes them; not true and false, which Python counts
among them. Stands last in an annotation: the JSON schema loses the ranges that follow it."""

Flag = Annotated[bool, BeforeValidator(_true_or_false)]
"""true or false, also as text, which is how `pulumi config set` writes them."""

Date = Annotated[datetime.date, BeforeValidator(_date)]
"""A day; also as Pulumi writes one without quotes in the file (`2025-06-01 00:00:00 +0000 UTC`)."""

Secret = Annotated[
    SecretRef,
    PlainValidator(_is_encrypted),
    PlainSerializer(lambda _: HIDDEN),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {"secure": {"type": "string", "description": "Written by `pulumi config set --secret`."}},
            "required": ["secure"],
            "additionalProperties": False,
        }
    ),
]
"""A setting that must be encrypted in the stack file (`secure: ...`); what is read is only a reference to it."""

KmsKey = Annotated[
    str,
    Matching(
        r"aws|stack-key|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9_-]+",
        "aws, stack-key, or the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID)",
    ),
]
# fmt: off
RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)
# fmt: on
"""What PutRetentionPolicy takes
(docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html)."""

Email = Annotated[str, Matching(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;.]+", "an e-mail address such as oncall@example.com")]
TimeZone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_time_zone)]
Usd = Annotated[float, Field(ge=0, le=1_000_000), NUMBER]


class Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
    )
