"""Units that SigNoz' panels and rules know, by its ids.

From SigNoz' pages at v0.138.0 (signoz.io/docs/dashboards/panel-types; the unit selector of its frontend). The server
takes any text for a unit and shows numbers without one, so a misspelt unit is found here or nowhere.
"""

from __future__ import annotations

import difflib

_DECIMAL = ("", "k", "M", "G", "T", "P")
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi")
_CURRENCIES = ("USD", "GBP", "EUR", "JPY", "BRL", "DKK", "NOK", "SEK", "CZK", "CHF", "PLN", "ZAR", "INR", "KRW", "IDR")

GROUPS: dict[str, tuple[str, ...]] = {
    "time": ("ns", "us", "ms", "s", "min", "h", "d", "dtdurationms", "dtdurations", "hertz"),
    "data": ("bytes", *(f"{each}By" for each in (*_DECIMAL, *_BINARY)), "bits", *(f"{each}bit" for each in _DECIMAL)),
    "data rate": (
        *(f"{each}By/s" for each in (*_DECIMAL, *_BINARY)),
        *(f"{each}bit/s" for each in (*_DECIMAL, *_BINARY)),
        "pps",
    ),
    "rates": tuple(f"{{{what}}}/{per}" for what in ("count", "ops", "req", "read", "write") for per in ("s", "min")),
    "shares": ("%", "percentunit"),
    "numbers": ("short", "1", "{count}", "sci", "locale", "dB"),
    "yes and no": ("{bool}", "{bool_yn}", "bool_on_off"),
    "money": tuple(f"currency{each}" for each in _CURRENCIES),
    "text and dates": ("string", "dateTimeAsIso", "dateTimeFromNow"),
}
UNITS = frozenset(unit for group in GROUPS.values() for unit in group)

_OTHER_NAMES = {
    "percent": "%",
    "usd": "currencyUSD",
    "seconds": "s",
    "milliseconds": "ms",
    "minutes": "min",
    "m": "min",
}


def unit_problem(unit: str) -> str | None:
    """What is wrong with a unit; None where nothing is."""
    if unit in UNITS or not unit:
        return None
    by_case = {each.lower(): each for each in UNITS}
    near = _OTHER_NAMES.get(unit.lower()) or next(iter(difflib.get_close_matches(unit.lower(), by_case, 1)), None)
    hint = f"; did you mean {by_case.get(near.lower(), near)}?" if near else ""
    return f"not a unit of SigNoz{hint} (docs/how-to/content.md lists them)"
