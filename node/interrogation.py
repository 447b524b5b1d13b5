"""Asks the other validators what this node's key has signed, until enough of them have answered.

Who is enough is said by the set of the height after the tip, looked up anew with each answer: a
node that was down for long catches up while it waits, and those who were removed meanwhile do not
count for it, those who came do. Where it began under an older set and has fetched a change since,
it asks on before it votes again: `may_return` is the gate through which `node.sync` lets it back.
What is asked and what follows from the answers stands in `node.startup`.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from keys.errors import CivregError
from ledger.ids import AgencyId
from ledger.validators import ValidatorSet
from node.logs import Log
from node.ports import Network, Timers
from node.startup import STATUS, PeerAnswer, parse_answer

ASK_AGAIN_MS: Final = 500

Answers: TypeAlias = Mapping[AgencyId, PeerAnswer]


class Interrogation:
    """Asks until more than two thirds of the weight have answered, then says so once.

    Args:
        own: This validator.
        validators: Returns the set of the height after the tip.
        network: The other nodes, as the tip knows them.
        timers: For asking again.
        log: Takes notes while it waits.
        done: Called once with all answers.

    Attributes:
        on_more: Called with all answers when it had to ask on because the set has changed.
        is_over: Whether nobody is waited for.
    """

    def __init__(
        self,
        own: AgencyId,
        validators: Callable[[], ValidatorSet],
        *,
        network: Network,
        timers: Timers,
        log: Log,
        done: Callable[[Answers], None],
    ) -> None:
        self._own = own
        self._validators = validators
        self._network = network
        self._timers = timers
        self._log = log
        self._done = done
        self._answers: dict[AgencyId, PeerAnswer] = {}
        self._is_ended = False
        self._has_begun = False
        self.on_more: Callable[[Answers], None] = _ignore
        self.is_over = False

    def start(self) -> None:
        """Ask; a network whose other validators weigh a third or less does not wait."""
        self._ask()

    def skip(self) -> None:
        """Begin without having asked: the present set does not know this node."""
        self.is_over = self._has_begun = True

    def end(self) -> None:
        """Stop waiting, because the operator says so."""
        self._is_ended = True
        if not self.is_over:
            self._log.warning("interrogation_ended", answers=len(self._answers))
            self._finish()

    def may_return(self, then: Callable[[], None]) -> bool:
        """Tell whether this node may go back to voting; else ask on and call `then` once.

        It may as long as it has not begun at all, where the present set does not know it, and where
        those who have answered weigh enough in that set. Asked again, the last `then` counts.

        Args:
            then: Called when enough have answered, after `on_more`.
        """
        if not self._has_begun:
            return True
        is_member = self._validators().index_of(self._own) is not None
        if not is_member or self._is_enough():
            if not self.is_over:
                self.is_over = True
                self.on_more(self._answers)
            return True

        def done(answers: Answers) -> None:
            self.on_more(answers)
            then()

        self._done = done
        if self.is_over:
            self._log.info("interrogation_again", answers=len(self._answers))
            self.is_over = False
            self._ask()
        return False

    def _ask(self) -> None:
        self._finish_if_enough()
        if self.is_over:
            return
        validators = self._validators()
        for peer in self._network.peers:
            if peer not in self._answers and validators.index_of(peer) is not None:
                self._network.ask(peer, STATUS, self._taker(peer))
        self._timers.after(ASK_AGAIN_MS, self._ask)

    def _taker(self, peer: AgencyId) -> Callable[[bytes | None], None]:
        def take(raw: bytes | None) -> None:
            if raw is None:
                return
            try:
                self._answers[peer] = parse_answer(raw)
            except CivregError as error:
                self._network.blame(peer, error.code)
            else:
                self._finish_if_enough()

        return take

    def _is_enough(self) -> bool:
        """Tell whether those who answered, and this node, decide in the present set."""
        validators = self._validators()
        weight = 0
        for agency in (self._own, *self._answers):
            index = validators.index_of(agency)
            weight += 0 if index is None else validators[index].weight
        return self._is_ended or validators.is_quorum(weight)

    def _finish_if_enough(self) -> None:
        if not self.is_over and self._is_enough():
            self._log.info("interrogation_done", answers=len(self._answers))
            self._finish()

    def _finish(self) -> None:
        self.is_over = self._has_begun = True
        self._done(self._answers)


def _ignore(answers: Answers) -> None:
    """Nobody has asked to be told."""
