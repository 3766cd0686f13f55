"""Settings of the AWS account: which one, in which role, and the tags of everything in it.

Limits are AWS': https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html,
https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html (50 tags, lengths, characters,
the prefix `aws:`). IAM and CloudWatch Logs say the same of a tag's characters, of which ASCII's are taken here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from stacks.settings.fields import Described, Matching, Model, Secret, problem

OWN_TAGS = ("Project", "Stack", "Environment", "Owner", "Expires")
"""What Turnscope says of a resource itself (`cloudwatch.provider`)."""
OWN_LABELS = "turnscope."
"""How its labels on the Docker host begin."""
TAGS_MAXIMUM = 50 - len(OWN_TAGS)

AccountId = Annotated[str, Matching("[0-9]{12}", "an account ID: 12 digits, in quotes")]
TagKey = Annotated[
    str,
    Matching(
        "(?![Aa][Ww][Ss]:)[A-Za-z0-9 _.:/=+@-]{1,128}",
        "1 to 128 letters, digits, spaces and _ . : / = + - @, not starting with aws:",
    ),
]
TagValue = Annotated[
    str,
    Matching(
        "[A-Za-z0-9 _.:/=+@-]{0,256}",
        "a string of at most 256 letters, digits, spaces and _ . : / = + - @ (a number in quotes)",
    ),
    Described("Value of the tag."),
]


class AssumeRole(Model):
    """An IAM role that is assumed with the credentials found."""

    role_arn: Annotated[
        str,
        Matching(
            r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,576}",
            "the ARN of a role (arn:aws:iam::ACCOUNT:role/NAME)",
        ),
    ]
    """ARN of the role."""
    external_id: Secret | None = None
    """External ID that the role's trust policy asks for (secret)."""
    session_name: Annotated[str, Matching("[A-Za-z0-9_+=,.@-]{2,64}", "2 to 64 letters, digits and _ + = , . @ -")] = (
        "turnscope"
    )
    """Name of the session, as CloudTrail shows it."""


class Aws(Model):
    """The AWS account. Credentials are found in the same places as by the AWS CLI."""

    account_ids: Annotated[tuple[AccountId, ...], Field(max_length=20)] = ()
    """IDs of the accounts that the stack may be in; in any other account nothing is touched. Empty for any account."""
    profile: Annotated[str, Matching(r"[^\s\[\]]{1,128}", "the name of a profile, without spaces")] | None = None
    """Profile of the shared AWS configuration files; null for that of the environment."""
    assume_role: AssumeRole | None = None
    """IAM role to assume; null to use the credentials as they are."""


def _not_our_own(value: dict[str, str]) -> dict[str, str]:
    taken = {each.lower() for each in OWN_TAGS}
    # IAM takes keys that differ only in case for the same.
    own = [key for key in value if key.lower() in taken or key.lower().startswith(OWN_LABELS)]
    if own:
        names = ", ".join(OWN_TAGS)
        raise problem(
            f"allowed: other keys than {', '.join(own)}, because Turnscope sets {names} and {OWN_LABELS}* (in any case)"
        )
    once: Mapping[str, str] = {key.lower(): key for key in value}
    if len(once) < len(value):
        raise problem("allowed: each key once, also in another case, because IAM does not distinguish them")
    return value


Tags = Annotated[dict[TagKey, TagValue], Field(max_length=TAGS_MAXIMUM), AfterValidator(_not_our_own)]
