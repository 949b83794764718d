"""Compare rustpar with pytest-xdist, plain pytest and, if asked to, other runners in one run.

``measure`` starts a run and measures its processes, ``runners`` builds the command lines, ``rivals`` those of other
runners, which ``environments`` installs, and ``outcomes`` compares what they report. ``suites`` writes the test suites,
``released`` fetches those of released packages, ``session`` runs them interleaved, ``rows`` computes figures and
compares them with limits, and ``cli`` prints them. ``examples/demo.py`` uses ``measure`` and ``runners`` too.
"""
