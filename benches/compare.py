#!/usr/bin/env python3
"""rustpar against pytest-xdist and plain pytest: ``python benches/compare.py --help``.

The work is in the package ``compare`` beside this file; importing that name finds the package, not this file.
"""

import sys

from compare.cli import main

if __name__ == "__main__":
    sys.exit(main())
