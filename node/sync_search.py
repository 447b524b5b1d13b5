"""Which certificates a single peer is asked for, so that it can prove that this node is behind.

The height that it claims first. If that one's certificate does not hold, the set may have changed
on the way; so the block after our tip, of which the set is known: whoever cannot prove that one has
proved nothing. Then halving the way between what is proved and what does not hold, which ends below
a change of the set: at most 64 questions in a row, and who claims much and has nothing gets two.
Pure bookkeeping.
"""


class ProofSearch:
    """The search with one peer.

    Args:
        tip: The highest height that is stored here.
        claimed: What the peer says it has; above `tip`.

    Attributes:
        proved: The highest height of which a certificate held; `tip` at first.
        height: The one to ask for next; None when there is nothing more to ask.
    """

    def __init__(self, tip: int, claimed: int) -> None:
        self._tip = tip
        self._refuted = claimed + 1
        self.proved = tip
        self.height: int | None = claimed

    def answered(self, *, holds: bool | None) -> None:
        """Take what became of the height that was asked for.

        Args:
            holds: Whether its certificate did; None if nothing came, which ends the search.
        """
        asked = self.height
        assert asked is not None, "nothing is asked for"
        if holds:
            self.proved = asked
        else:
            self._refuted = asked
        is_first = self.proved == self._tip
        if holds is None or self.proved + 1 >= self._refuted:
            self.height = None
        elif is_first:
            self.height = self._tip + 1
        else:
            self.height = (self.proved + self._refuted) // 2
