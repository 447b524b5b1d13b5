"""A node under cProfile: its main thread's profile is written into its folder when it stops.

python -m tests.bench.profiled_node FOLDER
"""

import cProfile
import sys
from pathlib import Path

from node.app import run_node
from node.public_side import open_public_side

PROFILE_FILE = "node.profile"


def main() -> int:
    """Run until stopped."""
    home = Path(sys.argv[1])
    profile = cProfile.Profile()
    try:
        return int(profile.runcall(run_node, home, None, open_public_side))
    finally:
        profile.dump_stats(home / PROFILE_FILE)


if __name__ == "__main__":
    sys.exit(main())
