"""Athena DeleteNamedQuery, and GetNamedQuery of one that does not exist.

AWS deletes a saved query by its id; one that does not exist is an InvalidRequestException for both.
https://docs.aws.amazon.com/athena/latest/APIReference/API_DeleteNamedQuery.html
https://docs.aws.amazon.com/athena/latest/APIReference/API_GetNamedQuery.html

moto has no DeleteNamedQuery, and fails over a GetNamedQuery of what is not there.
"""

from __future__ import annotations

from typing import Any

from moto.athena.responses import AthenaResponse

_get_named_query = AthenaResponse.get_named_query


def get_named_query(self: AthenaResponse) -> Any:
    if self._get_param("NamedQueryId") not in self.athena_backend.named_queries:
        return _missing(self)
    return _get_named_query(self)


def delete_named_query(self: AthenaResponse) -> Any:
    if self.athena_backend.named_queries.pop(self._get_param("NamedQueryId"), None) is None:
        return _missing(self)
    return "{}"


def _missing(response: AthenaResponse) -> Any:
    # Providers look for these words.
    return response.error(f"NamedQuery {response._get_param('NamedQueryId')} does not exist", 400)


def install() -> None:
    AthenaResponse.get_named_query = get_named_query
    setattr(AthenaResponse, delete_named_query.__name__, delete_named_query)
