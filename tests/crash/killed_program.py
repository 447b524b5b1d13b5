"""The civreg command in a process that ends where the environment says.

    CIVREG_CRASH_AT=wal.write.half:3 python -m tests.crash.killed_program node run HOME

`<step>:<nth>`, a step of `tests.crash.steps`; without the variable it is the command itself, with a
file of all signed messages. `Program` runs it as a child of the test: forked from a server that has
imported everything, because a restart would otherwise be mostly the import of Python modules.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

from cli.main import main
from node.app import run_node
from node.public_side import open_public_side
from tests.crash.traps import KILLED_FILE, WITNESS_FILE, set_trap, watch_messages

VARIABLE = "CIVREG_CRASH_AT"
_IMPORTED = (run_node, open_public_side)
_PR_SET_PDEATHSIG = 1
_SERVED = multiprocessing.get_context("forkserver")


def run_command(words, home):
    """Run the command in this process, which ends with it."""
    at = os.environ.get(VARIABLE)
    watch_messages(home / WITNESS_FILE)
    if at:
        step, _, nth = at.partition(":")
        set_trap(home, step, int(nth))
    sys.argv = ["civreg", *words]
    main()


def _child(words, home, at, log):
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ[VARIABLE] = at
    run_command(words, Path(home))


class Program:
    """The command as a child process.

    Args:
        words: The command line.
        home: Of the node.
        at: Where it is to end by itself, `<step>:<nth>`; empty for nowhere.
        log: What it prints is written at the end of this file.
    """

    def __init__(self, words, home, at, log):
        (home / KILLED_FILE).unlink(missing_ok=True)
        self.home, self.at = home, at
        self.began_s = time.time()
        self._process = _SERVED.Process(
            target=_child, args=(list(map(str, words)), str(home), at, str(log)), daemon=True
        )
        self._process.start()

    @property
    def is_running(self):
        return self._process.is_alive()

    @property
    def status(self):
        return self._process.exitcode

    def kill(self):
        self._process.kill()
        self._process.join()

    def terminate(self):
        self._process.terminate()

    def wait(self, seconds=60):
        self._process.join(seconds)
        assert not self.is_running, "the process does not end"
        return self.status

    @property
    def killed_at(self):
        """The step at which it ended by itself; None if something else ended it."""
        note = self.home / KILLED_FILE
        return note.read_text() if self.status == -signal.SIGKILL and note.exists() else None


def preload():
    """Have the fork server import this module before the first child."""
    _SERVED.set_forkserver_preload([__name__])


if __name__ == "__main__":
    run_command(sys.argv[1:], Path(sys.argv[-1]))
