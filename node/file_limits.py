"""How many files the process may have open: connections and the stores share them.

With the 1,024 that many systems give, a flood of connections would leave none for LevelDB, and a
node whose disk refuses stops. So the limit is raised as far as the system lets us.
"""

import resource
from typing import Final

from node.logs import Log

FILES_WANTED: Final = 8_192
"""2,048 connections of clients, 1,024 of peers, the stores, and room."""


def raise_file_limit(log: Log, wanted: int = FILES_WANTED) -> int:
    """Let the process open as many files as it may need; return how many it may.

    Args:
        log: Told where the system does not allow it.
        wanted: How many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        log.warning("few_files", allowed=most, wanted=wanted)
    return most
