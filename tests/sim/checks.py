"""The invariants, asked after every step; naive on purpose, and knowing everything.

Each check has the name that its failure is reported by. What consensus.md lists under Invariants is
here, but for liveness, which `simulation` asks after the faults stopped.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

from consensus.events import ReportEvidence
from consensus.messages import SignedProposal, SignedVote, VoteType
from consensus.state import State
from consensus.wire import parse_message
from ledger import state_tree
from ledger import store_layout as layout
from ledger.database_rows import scan_prefix
from ledger.ids import AgencyId
from ledger.state_keys import key_bytes_hash, stored_value_hash
from ledger.store_files import FOLDER
from node.application import Committed
from node.block_exchange import HELD_MAX
from node.evidence_pool import WAITING_MAX
from node.intake import SEEN_MAX
from node.journal import read_frames
from node.startup import Permission
from node.storage import GUARD_FILE, WAL_FILE
from tests.sim.set_checks import SetChecks
from tests.sim.town import PARAMETERS, SKEW_MS_MAX, Network
from tests.sim.witness import Witness

if TYPE_CHECKING:
    from ledger.blocks import Header
    from tests.sim.machine import Machine
    from tests.sim.process import Process
    from tests.sim.simulation import Simulation

ROUNDS_REMEMBERED_MAX = 200
INPUTS_MAX = 20_000


class ViolationError(AssertionError):
    """An invariant does not hold."""


class Checks:
    """Sees everything; raises ViolationError."""

    def __init__(self, simulation: "Simulation", network: Network) -> None:
        self._simulation = simulation
        self.network = network
        self.sets = SetChecks(self, simulation, network)
        self.committees = self.sets.committees
        self.witness = Witness(network, self.committees.at)
        self.decided: dict[int, Header] = {}
        self.entries: set[bytes] = set()
        self.wire: dict[tuple[int, Any, int, int], Any] = {}
        self.precommitted: dict[tuple[int, int], tuple[int, bytes]] = {}
        self.tips: dict[int, int] = {}
        self.timely: set[tuple[int, int, bytes]] = set()
        self.invalid: set[bytes] = set()
        self.amnesia = 0
        self.done: Counter[str] = Counter()

    def fail(self, name: str, text: str) -> None:
        """Report a violation."""
        now_ms = self._simulation.events.now_ms - self.network.start_ms
        raise ViolationError(f"{name}: {text} (at {now_ms} ms)")

    def require(self, condition: bool, name: str, text: str) -> None:  # noqa: FBT001
        """Report a violation unless a condition holds."""
        self.done[name] += 1
        if not condition:
            self.fail(name, text)

    # --- what a process does ----------------------------------------------------------------------

    def stepped(self, machine: "Machine", old: State, new: State) -> None:
        """Compare the states around one step of the core."""
        if not machine.is_honest:
            return
        who = f"node {machine.slot}"
        self.require(new.height >= old.height, "height goes back", who)
        core = new.core
        if new.height == old.height:
            self._same_height(who, old, new)
        self.require(
            core.locked_round <= core.valid_round <= core.round,
            "lock order",
            f"{who}: locked {core.locked_round} valid {core.valid_round} round {core.round}",
        )

    def _same_height(self, who: str, old: State, new: State) -> None:
        before, after = old.core, new.core
        self.require(after.round >= before.round, "round goes back", who)
        self.require(after.locked_round >= before.locked_round, "lock goes back", who)
        if after.locked_block != before.locked_block or after.locked_round != before.locked_round:
            has_polka = after.locked_block is not None and self.witness.has_quorum(
                VoteType.PREVOTE, new.height, after.locked_round, after.locked_block
            )
            self.require(
                after.locked_round > before.locked_round and has_polka,
                "lock without a later polka",
                f"{who} at {new.height}/{after.round}",
            )

    def on_wire(self, machine: "Machine", raw: bytes) -> None:
        """Look at a message before it leaves."""
        if not machine.is_honest:
            return
        message: Any = parse_message(raw)
        index = machine.index_at(getattr(message, "height", 0))
        if isinstance(message, SignedVote) and message.validator == machine.index_at(
            message.height
        ):
            place: Any = (machine.member, message.type, message.height, message.round)
            if self._says_first(machine, place, message.block_id, message.signature):
                self._vote(machine, message)
        elif isinstance(message, SignedProposal) and message.proposer == index:
            place = (machine.member, "proposal", message.height, message.round)
            content = (message.block_id, message.pol_round, message.time_ms)
            self._says_first(machine, place, content, message.signature)

    def _says_first(self, machine: "Machine", place: Any, content: Any, signature: bytes) -> bool:
        """One message for each place, on disk before it is on the wire."""
        on_disk = signature in machine.disk.durable(WAL_FILE)
        self.require(on_disk, "wire before log", f"{place} of node {machine.slot}")
        if place in self.wire:
            if self.wire[place] != content and machine.is_amnesiac:
                self.amnesia += 1
                return False
            self.require(self.wire[place] == content, "contradiction", f"{place}: {content}")
            return False
        self.wire[place] = content
        guard = machine.disk.durable(GUARD_FILE)
        process = machine.process
        assert process is not None, "who sends is running"
        last = process.signer.last
        is_guarded = signature in guard or (last is not None and last.height >= place[2])
        self.require(is_guarded, "wire before guard", f"{place} of node {machine.slot}")
        return True

    def _vote(self, machine: "Machine", vote: SignedVote) -> None:
        if vote.block_id is None:
            return
        where = f"node {machine.slot} at {vote.height}/{vote.round}"
        block_id = vote.block_id
        self.require(block_id not in self.invalid, "vote for an invalid block", where)
        if vote.type is VoteType.PRECOMMIT:
            has_polka = self.witness.has_quorum(VoteType.PREVOTE, vote.height, vote.round, block_id)
            self.require(has_polka, "precommit without polka", where)
            self.precommitted[machine.slot, vote.height] = (vote.round, block_id)
            return
        self._prevote(machine, vote, block_id, where)

    def _prevote(self, machine: "Machine", vote: SignedVote, block_id: bytes, where: str) -> None:
        proposal = self.witness.proposals[vote.height, vote.round].get(block_id)
        proposer = self._proposer(vote.height, vote.round)
        self.require(
            proposal is not None and proposal[2] == proposer, "prevote without proposal", where
        )
        assert proposal is not None, "required just now"
        pol_round, time_ms, _index = proposal
        lock = self.precommitted.get((machine.slot, vote.height))
        if lock is not None and lock[1] != block_id and not machine.is_amnesiac:
            may = self.witness.has_polka_between(vote.height, lock[0], vote.round, block_id)
            self.require(may, "prevote against the lock", where)
        if pol_round >= 0:
            has_polka = self.witness.has_quorum(VoteType.PREVOTE, vote.height, pol_round, block_id)
            self.require(has_polka, "prevote for a made-up polka", where)
            return
        self._check_timely(machine, vote, block_id, time_ms)

    def _check_timely(
        self, machine: "Machine", vote: SignedVote, block_id: bytes, time_ms: int
    ) -> None:
        process = machine.process
        state = None if process is None else process.driver.state
        if state is None or state.height != vote.height:
            return  # said again after the height was over
        held = [
            one.received_ms
            for one in state.proposals.get(vote.round, ())
            if one.proposal.block_id == block_id
        ]
        parameters = state.start.parameters
        delay_ms = parameters.delay_ms + parameters.delay_step_ms * vote.round
        early_ms = min(delay_ms, parameters.delay_max_ms) + parameters.precision_ms
        is_good = any(at - early_ms <= time_ms <= at + parameters.precision_ms for at in held)
        where = f"node {machine.slot} at {vote.height}/{vote.round}"
        self.require(is_good, "prevote for an untimely block", where)
        if machine.is_clock_sound:
            self.timely.add((vote.height, vote.round, block_id))

    # --- what is decided --------------------------------------------------------------------------

    def committed(self, machine: "Machine", committed: Committed) -> None:
        """Look at a block as it is stored."""
        header, process = committed.block.header, machine.process
        height = header.height
        if not machine.is_honest:
            return
        if height not in self.decided:
            self._decide(committed)
        is_same = self.decided[height].digest == header.digest
        self.require(is_same, "agreement", f"height {height}")
        if process is not None:
            store = process.application.store
            self.sets.check_certificate(store.quorum_certificate(height), header)
            is_same = store.state_root == header.state_root
            self.require(is_same, "state root", f"height {height}")
            self.tips[machine.slot] = height

    def _decide(self, committed: Committed) -> None:
        """Take note of the first block of a height that an honest node has stored."""
        self._check_first(committed)
        self.decided[committed.height] = committed.block.header
        self.sets.follow(committed)

    def _check_first(self, committed: Committed) -> None:
        header = committed.block.header
        height, block_id = header.height, header.digest
        where = f"height {height}"
        before = self.decided.get(height - 1)
        self.require(height == 1 or before is not None, "heights in order", where)
        genesis = self.network.genesis
        parent = genesis.network_id if before is None else before.digest
        self.require(header.parent == parent, "parent", where)
        before_ms = genesis.template.time_ms if before is None else before.time_ms
        self.require(header.time_ms > before_ms, "time goes back", where)
        self.require(block_id not in self.invalid, "validity", where)
        committee = self.committees.at(height)
        self.require(header.validators == committee.digest, "set of a header", where)
        proposer = committee.proposer(height, header.round)
        self.require(header.proposer == proposer, "proposer", where)
        proposed = self.witness.proposed.get(block_id, set())
        who = self._proposer(height, header.round)
        self.require(who in proposed, "decided without proposal", where)
        place = (height, header.round, block_id)
        self.require(place in self.timely, "no honest node found it timely", where)
        latest_ms = self._simulation.events.now_ms + SKEW_MS_MAX + PARAMETERS.precision_ms
        self.require(header.time_ms <= latest_ms, "time from the future", where)
        for entry in committed.block.entries:
            digest = bytes(entry.entry_digest)
            self.require(digest not in self.entries, "entry twice", where)
            self.require(digest in self._simulation.submitted, "entry from nowhere", where)
            self.entries.add(digest)
        for raw in committed.block.evidence:
            self._accused(parse_message(raw), f"in block {height}")

    def _proposer(self, height: int, round_number: int) -> int:
        """Return the member whose turn it is."""
        committee = self.committees.at(height)
        return committee.seats[committee.proposer(height, round_number)].member

    def evidence(self, machine: "Machine", found: ReportEvidence) -> None:
        """Look at an equivocation that a node reports."""
        if machine.is_honest:
            self._accused(found.evidence, f"by node {machine.slot}")

    def _accused(self, evidence: Any, how: str) -> None:
        seats = self.committees.at(evidence.height).seats
        self.require(evidence.validator < len(seats), "evidence against nobody", how)
        member = seats[evidence.validator].member
        place = (member, evidence.height, evidence.round)
        machine = self._simulation.machines[member]
        is_guilty = not machine.is_honest or machine.is_amnesiac
        self.require(
            is_guilty and self.witness.equivocated(member),
            "evidence against honest",
            f"{place} {how}",
        )

    # --- what happens to machines -----------------------------------------------------------------

    def opened(self, machine: "Machine", process: "Process") -> None:
        """Look at a store that was opened anew."""
        if not machine.is_honest:
            return
        tip = process.application.tip_height
        if not machine.is_amnesiac:
            least = self.tips.get(machine.slot, 0)
            self.require(tip >= least, "committed blocks lost", f"node {machine.slot}: {tip}")
        self.tips[machine.slot] = tip
        store = process.application.store
        for height in range(1, tip + 1):
            if height not in self.decided:  # it stopped when it had stored it
                self._decide(Committed(store.block(height), ()))
            mine, first = store.header(height).digest, self.decided[height].digest
            self.require(mine == first, "agreement after a restart", f"height {height}")

    def chain_lost(self, machine: "Machine") -> None:
        """A disk has lost its chain; what was decided only there may be decided again."""
        self.tips.pop(machine.slot, None)

    def restored(self, machine: "Machine", height: int) -> None:
        """Look at a store that came out of a snapshot: it is the decided state, row for row."""
        if not machine.is_honest:
            return
        where = f"node {machine.slot} at {height}"
        self.require(height in self.decided, "snapshot of a decided height", where)
        rows = scan_prefix(machine.disk.databases[FOLDER], layout.STATE)
        hashes: dict[bytes, bytes | None] = {
            key_bytes_hash(key[1:]): stored_value_hash(stored) for key, stored in rows
        }
        root = state_tree.update(lambda _key: None, hashes).root
        self.require(root == self.decided[height].state_root, "restored state", where)
        signed = [self.witness.voted_at.get(one.public, 0) for one in machine.publics]
        if not machine.has_lost_guard and not machine.is_amnesiac:
            self.require(max(signed) <= height + 1, "snapshot older than the guard", where)

    def permitted(self, machine: "Machine", permission: Permission, certified: int) -> None:
        """A node that replays a height in which it spoke must know its lock again.

        One that lost its guard and has signed nothing since stays silent for two heights more.
        """
        process = machine.process
        if process is not None and machine.has_lost_guard and process.signer.last is None:
            is_silent = certified == 0 or permission.from_height >= certified + 3
            self.require(is_silent, "wiped node speaks", f"{machine.slot} after {certified}")
        if process is None or not machine.is_honest or machine.is_amnesiac:
            return
        height = process.application.tip_height + 1
        lock = self.precommitted.get((machine.slot, height))
        if lock is not None and permission.from_height <= height:
            machine.simulation.after_start.append((machine, machine.life, height, lock[0]))

    def knows_lock(self, machine: "Machine", height: int, locked_round: int) -> None:
        """Look at the lock after a replay."""
        process = machine.process
        state = None if process is None else process.driver.state
        if state is not None and state.height == height:
            found = state.core.locked_round
            self.require(found >= locked_round, "lock forgotten", f"node {machine.slot}: {found}")

    def node_failed(self, machine: "Machine", error: BaseException) -> None:
        """A node stopped by itself, and no disk was the cause."""
        if machine.is_honest:
            raise ViolationError(f"node stopped: {machine.slot} {error!r}") from error

    def marked(self, machine: "Machine", peer: AgencyId, reason: str) -> None:
        """Honest nodes hold nothing against one another."""
        accused = self._simulation.machines[self.network.members.index(peer)]
        if machine.is_honest and accused.is_honest:
            self.fail("honest peer blamed", f"{accused.slot} by {machine.slot} for {reason}")

    def bounds(self, machine: "Machine") -> None:
        """Memory stays bounded whatever peers send."""
        process = machine.process
        state = None if process is None else process.driver.state
        if process is None or state is None or not machine.is_honest:
            return
        count, who = len(self.network.members), f"node {machine.slot}"
        future = state.future.by_height
        kept = max((len(one) for one in future.values()), default=0)
        self.require(len(future) <= 3 and kept <= count * 10 + 8, "future bound", f"{who}: {kept}")
        self.require(len(process.world.exchange._held) <= HELD_MAX, "held blocks", who)
        self.require(len(process.world.evidence) <= WAITING_MAX, "evidence bound", who)
        self.require(len(process.world.intake._seen) <= SEEN_MAX, "seen bound", who)
        self.require(len(process.driver._inputs) <= INPUTS_MAX, "inputs bound", who)
        self.require(len(state.proposals) <= ROUNDS_REMEMBERED_MAX, "proposals bound", who)

    def replays(self, machine: "Machine") -> None:
        """Same inputs, same state: what the log holds leads to the present state."""
        process = machine.process
        if process is None or process.driver.state is None or not machine.is_honest:
            return
        state = replayed(process, read_frames(read_log(machine)))
        if state is not None:
            same = without_future(state) == without_future(process.driver.state)
            self.require(same, "replay differs", f"node {machine.slot} at {state.height}")


def replayed(process: "Process", events: tuple[Any, ...]) -> State | None:
    """Return the state that a log leads to."""
    from consensus import engine  # noqa: PLC0415 - nobody else in here steps an engine

    state = None
    for event in events:
        if isinstance(event, bytes):
            continue
        if state is None:
            state, _effects = engine.begin(process.driver._identity, event)
        else:
            state, _effects = engine.step(state, event)
    return state


def read_log(machine: "Machine") -> tuple[bytes, ...]:
    """Return the frames of a machine's log as it reads now."""
    from ledger import wal  # noqa: PLC0415 - its scan is private to everybody else

    return wal._scan(machine.disk.read(WAL_FILE)).frames


def without_future(state: State) -> Any:
    """A state but for messages of later heights, which a log that was cut does not hold."""
    from dataclasses import replace  # noqa: PLC0415

    from consensus.future import FutureMessages  # noqa: PLC0415

    return replace(state, future=FutureMessages())
