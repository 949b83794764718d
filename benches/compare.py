#!/usr/bin/env python3
"""Compare rustpar with pytest-xdist and plain pytest: ``python benches/compare.py --help``.

The code is in the package ``compare`` beside this file; ``import compare`` finds the package, not this file.
"""

import sys

from compare.cli import main

if __name__ == "__main__":
    sys.exit(main())
