"""Athena DeleteNamedQuery.

AWS deletes a saved query by its id; one that does not exist is an InvalidRequestException.
https://docs.aws.amazon.com/athena/latest/APIReference/API_DeleteNamedQuery.html

moto has no DeleteNamedQuery.
"""

from __future__ import annotations

from typing import Any

from moto.athena.responses import AthenaResponse


def delete_named_query(self: AthenaResponse) -> Any:
    if self.athena_backend.named_queries.pop(self._get_param("NamedQueryId"), None) is None:
        return self.error("NamedQuery is not found.", 400)
    return "{}"


def install() -> None:
    setattr(AthenaResponse, delete_named_query.__name__, delete_named_query)
