"""S3 lifecycle configuration, read back as it was put.

AWS returns every setting of every rule.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html

moto keeps most but drops some (object sizes in a filter, `NewerNoncurrentVersions` of an expiration), and a
provider waits in vain for an answer equal to what it put. (Terraform's provider 5.100 takes 55 seconds even over
a right answer: it waits 10 seconds, then wants ten equal answers 5 seconds apart.)
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.s3.exceptions import NoSuchLifecycleConfiguration
from moto.s3.models import FakeBucket, S3Backend
from moto.s3.responses import S3Response

_AS_PUT = "lifecycle_as_put"

_set_lifecycle = FakeBucket.set_lifecycle

# In the request's XML a list is a repeated element of the singular name; the API's name is the plural.
_LISTS = {
    "Transition": "Transitions",
    "NoncurrentVersionTransition": "NoncurrentVersionTransitions",
}


def as_answer(rule: dict[str, Any]) -> dict[str, Any]:
    """One rule of the request, as parsed from XML (an empty element is None), as the answer's structure."""
    answer: dict[str, Any] = {}
    for name, value in rule.items():
        if name in _LISTS:
            answer[_LISTS[name]] = value if isinstance(value, list) else [value]
        elif name == "Filter":
            answer[name] = _filter(value or {})
        else:
            answer[name] = "" if value is None else value
    return answer


def _filter(value: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for name, part in value.items():
        if name == "And":
            tags = part.get("Tag", [])
            answer[name] = {k: v or "" for k, v in part.items() if k != "Tag"}
            if tags:
                answer[name]["Tags"] = tags if isinstance(tags, list) else [tags]
        else:
            answer[name] = "" if part is None else part
    return answer


def set_lifecycle(self: FakeBucket, rules: list[dict[str, Any]]) -> None:
    _set_lifecycle(self, rules)  # validates
    vars(self)[_AS_PUT] = [as_answer(rule) for rule in rules]


def get_bucket_lifecycle(self: S3Response) -> Any:
    self.data["Action"] = "GetBucketLifecycleConfiguration"
    backend: S3Backend = self.backend
    if not backend.get_bucket_lifecycle(self.bucket_name):
        raise NoSuchLifecycleConfiguration(bucket_name=self.bucket_name)
    return self.serialized(
        ActionResult(
            {
                "Rules": vars(backend.get_bucket(self.bucket_name))[_AS_PUT],
                "TransitionDefaultMinimumObjectSize": "all_storage_classes_128K",
            }
        )
    )


def install() -> None:
    FakeBucket.set_lifecycle = set_lifecycle
    S3Response.get_bucket_lifecycle = get_bucket_lifecycle
