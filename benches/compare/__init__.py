"""rustpar against pytest-xdist and plain pytest, side by side in one run.

``measure`` starts a run and weighs its processes, ``runners`` knows the three command lines and compares
outcomes, ``suites`` writes the test suites, ``session`` runs them in turn, ``rows`` turns runs into the
figures of the design, and ``cli`` prints them.  ``examples/demo.py`` uses ``measure`` and ``runners`` too.
"""
