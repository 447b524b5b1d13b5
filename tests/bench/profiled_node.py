"""A node whose main thread is profiled between two signals: SIGUSR1 begins, SIGUSR2 ends.

    python -m tests.bench.profiled_node FOLDER

The profile is written into the folder when the node stops.
"""

import cProfile
import signal
import sys
from pathlib import Path

from node.app import run_node
from node.public_side import open_public_side

PROFILE_FILE = "node.profile"


def main() -> int:
    """Run until stopped."""
    home = Path(sys.argv[1])
    profile = cProfile.Profile()
    signal.signal(signal.SIGUSR1, lambda _number, _frame: profile.enable())
    signal.signal(signal.SIGUSR2, lambda _number, _frame: profile.disable())
    try:
        return int(run_node(home, None, open_public_side) is not None)
    finally:
        profile.disable()
        profile.dump_stats(home / PROFILE_FILE)


if __name__ == "__main__":
    sys.exit(main())
