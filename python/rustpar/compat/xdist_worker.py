"""Parts of pytest-xdist's worker that plugins use and that have no public interface.

Separate from those of the controller: importing only these takes half the time, in every process of a run.
"""

from xdist import remote
from xdist.remote import setup_config

__all__ = ["remote", "setup_config"]
