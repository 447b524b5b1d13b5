"""Ctrl-C once it can no longer undo anything: the answer is told first, and told whole.

Python raises `KeyboardInterrupt` wherever it is. Between the network's answer and its last line on
the screen that would take the answer away from the person who waited for it.
"""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager


def ignore_interrupts() -> None:
    """Ignore Ctrl-C until the command ends; `as_before` undoes it."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def heard() -> Generator[None]:
    """Obey Ctrl-C for a while although it is ignored around."""
    with as_before():
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.default_int_handler)
        yield


@contextmanager
def as_before() -> Generator[None]:
    """Leave the handling of Ctrl-C as it was found."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    found = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, found)
