"""Business facts that a call brought to light, for its `session_analytics` line: team size, volume, intent."""

from __future__ import annotations

import math

from turnscope_agent.call import current_call
from turnscope_agent.reporting import guarded, warn_once


@guarded
def note(**signals: str | int | float | bool) -> None:
    """Note `signals` of the running call, from anywhere in its job: a tool, `on_enter`, a handler.

    A name noted again takes the new value. The line holds them under `discovered_signals`; saved queries read
    `team_size` (people) and `monthly_volume` (documents).
    """
    call = current_call()
    if call is None:
        warn_once("A signal was noted outside of an observed call: call turnscope_agent.observe(session) first.")
        return
    for name, value in signals.items():
        if isinstance(value, (str, int, float)) and not (isinstance(value, float) and not math.isfinite(value)):
            call.note(name, value)
        else:
            warn_once(f"Signal {name} is not noted: a {type(value).__name__}; allowed: string, finite number, boolean.")
