"""``python -m rustpar.cli``, the same as the command ``rustpar``."""

import sys

from rustpar.cli.main import main

sys.exit(main())
