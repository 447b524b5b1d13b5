"""What a node asks of the Python interpreter that runs it."""

import gc

from node.errors import NodeError


def collect_seldom() -> None:
    """Look for garbage in cycles seldom: entries and rows are many, live long and form none.

    With the interpreter's own thresholds a tenth of the time goes into walking over them, and now
    and then a walk over all of them would hold up a round.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 1_000)


def check_not_optimized() -> None:
    """Refuse to run where assertions are switched off: they state what must never happen.

    Raises:
        NodeError: They are.
    """
    if not __debug__:
        raise NodeError("a node does not run under python -O")
