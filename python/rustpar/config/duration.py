"""Durations as on a clock."""


def clock(seconds: float) -> str:
    """A time to come, in whole seconds: ``0:09``, ``12:00``, ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
