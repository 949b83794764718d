"""Compare rustpar with pytest-xdist and plain pytest in one run.

``measure`` starts a run and measures its processes, ``runners`` builds the three command lines and compares
outcomes, ``suites`` writes the test suites, ``session`` runs them interleaved, ``rows`` computes figures and compares
them with limits, and ``cli`` prints them. ``examples/demo.py`` uses ``measure`` and ``runners`` too.
"""
