"""The regular expressions of filter patterns (`%...%`), as Python's.

They have no groups and ASCII characters only, and symbols beyond a short list only as `\\xhh`:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/regex-expressions.html.
"""

from __future__ import annotations

import functools
import re

from simulate.patterns.error import PatternError

_PIECE = re.compile(
    r"(?P<escape>\\(?:[dDsSwW]|x[0-9A-Fa-f]{2}|[^A-Za-z0-9]))"
    r"|(?P<quantifier>[*+?]|\{\d*,?\d*\})"
    r"|(?P<operator>[\^$\[\]|.])"
    r"|(?P<plain>[A-Za-z0-9:_#=@/;,\- ])"
    r"|(?P<brace>[{}])"
)


@functools.lru_cache(maxsize=512)
def compile_regex(source: str) -> re.Pattern[str]:
    """Python's form of the text between the percent signs, to be searched for anywhere in a value.

    Raises:
        PatternError: empty, or with a character or a quantifier that is not allowed; its column counts in `source`.
    """
    if not source:
        raise PatternError("a regular expression is not empty", 1)
    out: list[str] = []
    in_class = False
    quantified = True
    at = 0
    while at < len(source):
        piece = _PIECE.match(source, at)
        if piece is None or (piece.lastgroup == "brace" and not in_class):
            raise PatternError(f"{source[at]!r} is not allowed here in a regular expression; try \\xhh", at + 1)
        text = piece.group()
        if in_class:
            if text == "]" and (out[-1] == "[" or out[-2:] == ["[", "^"]):
                raise PatternError("a character class is not empty", at + 1)
            in_class = text != "]"
            out.append("\\[" if text == "[" else text)
        elif piece.lastgroup == "quantifier":
            if quantified:
                raise PatternError(f"{text!r} has nothing to repeat", at + 1)
            out.append(text)
        else:
            in_class = text == "["
            out.append(r"\Z" if text == "$" else text)
        quantified = piece.lastgroup == "quantifier" or text in {"^", "|"}
        at = piece.end()
    try:
        return re.compile("".join(out), re.ASCII | re.DOTALL)
    except re.error as error:
        raise PatternError(f"not a regular expression: {error.msg}", 1) from None
