"""What kind of value a setting has, from the model's annotations.

Reading a stack's files asks this of every key; the JSON schema, which says it too and far more, takes longer to make
than the files take to read (`stacks.settings.schema`).
"""

from __future__ import annotations

import datetime
import types
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from core.secrets.reference import SecretRef
from stacks.settings.documents import Location
from stacks.settings.fields import Model
from stacks.settings.model import Settings


@cache
def kind_at(location: Location) -> Any:
    """The annotation of the value at a location, without what it is annotated with; None where no setting can stand."""
    annotation: Any = Settings
    for part in location:
        annotation = _entry(_without_null(annotation), part)
        if annotation is None:
            return None
    return _bare(annotation)


def is_nullable(kind: Any) -> bool:
    return types.NoneType in _options(kind)


def is_text(kind: Any) -> bool:
    """Whether it is written as a text: also a day, or one word of several."""
    inner = _without_null(kind)
    if get_origin(inner) is Literal:
        return all(isinstance(word, str) for word in get_args(inner))
    return isinstance(inner, type) and issubclass(inner, (str, datetime.date))


def is_secret(kind: Any) -> bool:
    """Whether it must be encrypted."""
    return _without_null(kind) is SecretRef


def _entry(kind: Any, part: str | int) -> Any:
    """The annotation of one entry of a section, mapping or list; None where it has none of this name."""
    if isinstance(kind, type) and issubclass(kind, Model):
        field = kind.model_fields.get(str(part))
        return field and field.annotation
    of = get_args(kind)
    match get_origin(kind), part:
        case origin, str() if origin is dict:
            return of[1]
        case origin, int() if origin is tuple:
            return of[0]
        case _:
            return None


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _options(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _without_null(annotation: Any) -> Any:
    """The first kind that it can have, bare."""
    bare = _bare(annotation)
    return _bare(next(option for option in _options(bare) if option is not types.NoneType))
