"""Parts of pytest-xdist's worker that plugins see and that it has no interface for.

Apart from those of the controller: to import these takes half the time, in every process of a run.
"""

from xdist import remote
from xdist.remote import setup_config

__all__ = ["remote", "setup_config"]
