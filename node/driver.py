"""The loop around the consensus core: one owner of the state, disk before wire, effects in order.

    inputs -> journal (append, one fsync for all that came in this turn) -> core -> effects -> ...

* An event is on disk before the core sees it. What the core asks to be signed goes through the
  guard, comes back as an input, and so is on disk before the core lets it be broadcast.
* The bytes of a block that we may vote for are on disk before its verdict.
* When a height is stored the journal begins anew with the start of the next one, in which stand
  the messages that came too early. Inputs that came in the turn of the decision are logged again.
* After a crash the journal is replayed without effects, then `resume` says what is left to be
  done. A crash between storing a block and restarting the journal leaves a journal of a height
  that the chain has: it is dropped.

Plain and synchronous: the caller gives inputs with `put` and calls `turn`; disk, clock and network
stand behind ports, so a simulator drives this very code.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from consensus.engine import begin, is_known, kept_messages, resume, step
from consensus.events import (
    Broadcast,
    BuildValue,
    CastVote,
    CheckBlock,
    Decide,
    Effect,
    Event,
    FetchBodies,
    ProposalReceived,
    Propose,
    ReportEvidence,
    SetTimer,
    StartHeight,
    VoteReceived,
)
from consensus.messages import (
    SignedProposal,
    SignedVote,
    VoteType,
    open_proposal,
    open_vote,
    proposal_message,
    vote_message,
)
from consensus.state import Identity, State
from consensus.wire import SignedMessage, print_message
from ledger.ids import AgencyId
from ledger.validators import ValidatorSet
from node.clock import Clock
from node.errors import ContradictionError
from node.journal import (
    Journal,
    block_frame,
    event_frame,
    log_height,
    owner_frame,
    read_own,
)
from node.logs import Log
from node.signer import GuardedSigner, Place, SignedKind

TURN_EVENTS_MAX: Final = 4_096
"""Inputs that share one fsync."""


class World(Protocol):
    """Carries out what needs more than the driver; answers come back through `Driver.put`."""

    def build(self, effect: BuildValue) -> None:
        """Build a block; answer ValueBuilt with the block, or BuildFailed."""

    def check(self, effect: CheckBlock) -> None:
        """Get and execute a block; answer BlockVerdict, with the block where it is valid."""

    def fetch_bodies(self, effect: FetchBodies) -> None:
        """Get the sealed bodies of a block; answer BodiesHeld."""

    def start_timer(self, effect: SetTimer) -> None:
        """Answer TimerFired after a while."""

    def broadcast(self, message: bytes) -> None:
        """Send to every peer."""

    def decide(self, effect: Decide) -> StartHeight:
        """Store a decided block in one batch; return how the next height begins."""

    def report(self, effect: ReportEvidence) -> None:
        """Show an equivocation."""

    def restore_block(self, raw: bytes) -> None:
        """Take back the bytes of a block that were in the journal."""


class Driver:
    """One validator's, or observer's, consensus.

    Args:
        identity: Who this is.
        network_id: 32 bytes.
        signer: The guarded consensus key; None for an observer.
        journal: The write-ahead log.
        clock: When own messages came back.
        log: Takes notes.
    """

    def __init__(
        self,
        identity: Identity,
        network_id: bytes,
        signer: GuardedSigner | None,
        *,
        journal: Journal,
        clock: Clock,
        log: Log,
    ) -> None:
        self._identity = identity
        self._network_id = network_id
        self._signer = signer
        self._journal = journal
        self._clock = clock
        self._log = log
        self._state: State | None = None
        self._inputs: deque[tuple[Event, bytes | None]] = deque()
        self._own: deque[tuple[Event, bytes | None]] = deque()
        self._world: World | None = None
        self._is_turning = False
        self.syncs = 0

    @property
    def state(self) -> State | None:
        """The state of the core; None before the first height."""
        return self._state

    @property
    def height(self) -> int:
        """The height that is worked on; 0 before the first."""
        return 0 if self._state is None else self._state.height

    @property
    def own(self) -> AgencyId | None:
        """Whose node this is; None for an observer."""
        own = self._identity.agency_id
        return None if own is None else AgencyId(own)

    def holds_key_of(self, validators: ValidatorSet) -> bool:
        """Tell whether the key is here under which a set knows this node; False if it is not in it.

        `node.key_watch` says so to the operator.
        """
        index = None if self.own is None else validators.index_of(self.own)
        return (
            index is not None
            and self._signer is not None
            and self._signer.holds(validators[index].key)
        )

    def tell(self, event: str, validators: ValidatorSet) -> None:
        """Log that voting is left or resumed, if there is anything to vote with in the next set."""
        if self.holds_key_of(validators):
            self._log.info(event, height=self.height)

    def last_signed(self) -> Place | None:
        """Return the last place that the guard knows; None if nothing was signed."""
        return None if self._signer is None else self._signer.last

    def attach(self, world: World) -> None:
        """Name who carries out effects; once, before anything else."""
        self._world = world

    def start(self, start: StartHeight, frames: Sequence[bytes]) -> None:
        """Begin after the process started: replay what the journal holds of this height.

        Args:
            start: The height after the chain's tip.
            frames: What the journal held.

        Raises:
            CorruptWalError: A frame does not read, or the log is ahead of the chain or not ours.
        """
        events = read_own(frames, self._identity.agency_id, start.height - 1)
        is_past = log_height(events) < start.height
        if is_past or not start.may_vote:  # where we may not speak, what we said does not matter
            self.begin(start)
        else:
            self._replay(events)

    def begin(self, start: StartHeight) -> None:
        """Begin a height whose predecessor is stored, and forget all before it."""
        if self._state is not None:
            kept = kept_messages(self._state, start.height, start.validators)
            start = replace(start, kept=kept)
        self._journal.restart([owner_frame(self._identity.agency_id), event_frame(start)])
        self.syncs += 1
        if self._state is None:
            self._state, effects = begin(self._identity, start)
        else:
            self._state, effects = step(self._state, start)
        for effect in effects:
            self._perform(effect)

    def put(self, event: Event, block: bytes | None = None) -> None:
        """Give an input; `block` is the bytes of the block that it names, to be kept on disk."""
        self._inputs.append((event, block))

    def is_known(self, message: SignedMessage, validators_digest: bytes = b"") -> bool:
        """Tell whether a message from the wire would change nothing; see `engine.is_known`."""
        return self._state is None or is_known(self._state, message, validators_digest)

    def turn(self) -> None:
        """Work until no input is left: log all, sync once, then give them to the core."""
        if self._is_turning:
            return
        self._is_turning = True
        try:
            while (self._own or self._inputs) and self._state is not None:
                self._turn_once(self._state.height)
        finally:
            self._is_turning = False

    def _turn_once(self, height: int) -> None:
        batch = list(self._own)  # what we said ourselves comes back first, in the order cast
        self._own.clear()
        count = min(len(self._inputs), TURN_EVENTS_MAX)
        batch += [self._inputs.popleft() for _ in range(count)]
        for event, block in batch:
            if block is not None:
                self._journal.append(block_frame(block))
            self._journal.append(event_frame(event))
        self._journal.sync()
        self.syncs += 1
        for at, (event, _block) in enumerate(batch):
            self._step(event)
            if self.height != height:  # The journal began anew: what follows is in it no more.
                self._inputs.extendleft(reversed(batch[at + 1 :]))
                return

    def _step(self, event: Event) -> None:
        assert self._state is not None, "a height has begun"
        self._state, effects = step(self._state, event)
        for effect in effects:
            self._perform(effect)

    def _replay(self, events: Sequence[Event | bytes]) -> None:
        """Come to the state before the crash, then carry out what was still to be done."""
        assert self._world is not None, "attach comes first"
        state: State | None = None
        for event in events:
            if isinstance(event, bytes):
                self._world.restore_block(event)
            elif state is None:
                assert isinstance(event, StartHeight), "read_frames saw to it"
                state, _effects = begin(self._identity, event)
            else:
                state, _effects = step(state, event)
        assert state is not None, "the log holds a height"
        self._state = state
        self._log.info("replayed", height=state.height, round=state.round, events=len(events))
        for effect in resume(state):
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        assert self._world is not None, "attach comes first"
        match effect:
            case CastVote():
                self._cast(effect)
            case Propose():
                self._propose(effect)
            case Broadcast(message=message):
                self._world.broadcast(print_message(message))
            case SetTimer():
                self._world.start_timer(effect)
            case BuildValue():
                self._world.build(effect)
            case CheckBlock():
                self._world.check(effect)
            case FetchBodies():
                self._world.fetch_bodies(effect)
            case ReportEvidence():
                self._world.report(effect)
            case Decide():
                self.begin(self._world.decide(effect))

    def _cast(self, cast: CastVote) -> None:
        """Sign a vote behind the guard; it comes back as an input like a foreign one."""
        state = self._state
        assert state is not None, "a height has begun"
        if state.own_index is None or not self.holds_key_of(state.start.validators):
            return
        kind = SignedKind.PREVOTE if cast.type is VoteType.PREVOTE else SignedKind.PRECOMMIT
        message = vote_message(self._network_id, cast.type, cast.height, cast.round, cast.block_id)
        signature = self._sign(Place(cast.height, cast.round, kind), message)
        if signature is not None:
            signed = SignedVote(
                *(cast.type, cast.height, cast.round, cast.block_id, state.own_index, signature)
            )
            vote = open_vote(signed, state.start.validators, self._network_id)
            self._own.append((VoteReceived(vote), None))

    def _propose(self, propose: Propose) -> None:
        """Sign a proposal behind the guard; it comes back as an input like a foreign one."""
        state = self._state
        assert state is not None, "a height has begun"
        if state.own_index is None or not self.holds_key_of(state.start.validators):
            return
        unsigned = SignedProposal(
            *(propose.height, propose.round, propose.block_id, propose.pol_round),
            *(propose.time_ms, state.own_index, b""),
        )
        place = Place(propose.height, propose.round, SignedKind.PROPOSAL)
        signature = self._sign(place, proposal_message(self._network_id, unsigned))
        if signature is not None:
            signed = replace(unsigned, signature=signature)
            proposal = open_proposal(signed, state.start.validators, self._network_id)
            self._own.append((ProposalReceived(proposal, self._clock.now_ms()), None))

    def _sign(self, place: Place, message: bytes) -> bytes | None:
        """Return a signature, or None where the guard refuses: then nothing is ever said here."""
        assert self._signer is not None, "asked for with a signer only"
        assert self._state is not None, "a height has begun"
        assert self._state.own_index is not None, "asked for by a member only"
        key = self._state.start.validators[self._state.own_index].key
        try:
            return self._signer.sign(place, message, key)
        except ContradictionError as error:
            self._log.error(
                "guard_refused", kind=place.kind.name, height=place.height, detail=str(error)
            )
            return None
