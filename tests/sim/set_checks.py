"""Checks of who validates: sets of headers, signatures of members only, certificates by their set.

The sets are those of the model in `committees`, which is told each decided block here.
"""

from typing import TYPE_CHECKING

from ledger.blocks import Header
from ledger.quorum import QuorumCertificate, precommit_message
from node.application import Committed
from tests.sim.committees import Committee, Committees, Seat
from tests.sim.town import Network, invented_signature

if TYPE_CHECKING:
    from tests.sim.checks import Checks
    from tests.sim.machine import Machine
    from tests.sim.simulation import Simulation

CHANGE_NAMES = {
    "admit": "validator admitted",
    "weigh": "weight changed",
    "remove": "agency removed",
    "rotate": "consensus key changed",
}


class SetChecks:
    """Follows the sets of validators.

    Args:
        checks: Raises what does not hold.
        simulation: Whose.
        network: Where it begins.
    """

    def __init__(self, checks: "Checks", simulation: "Simulation", network: Network) -> None:
        self._checks = checks
        self._simulation = simulation
        self._network = network
        founders = [
            Seat(member, network.members[member], network.public(member), 1)
            for member in range(network.founders)
        ]
        self.committees = Committees(
            Committee(tuple(founders)), network.public, network.members, self._set_changed
        )

    def follow(self, committed: Committed) -> None:
        """Tell the model of the sets what a block holds, and compare what its header says."""
        header, simulation = committed.block.header, self._simulation
        digests = [bytes(one.entry_digest) for one in committed.block.entries]
        acts = [simulation.acts[one] for one in digests if one in simulation.acts]
        passed = set(self.committees.passed)
        self.committees.executed(header.height, acts)
        for change in sorted(set(self.committees.passed) - passed, key=lambda one: one.stage):
            simulation.faults[f"set: {CHANGE_NAMES[change.kind]}"] += 1
        following = self.committees.at(header.height + 1).digest
        is_same = header.next_validators == following
        self._checks.require(is_same, "next set of a header", f"height {header.height}")

    def _set_changed(self, height: int, committee: Committee) -> None:
        """A set comes into force: the faulty ones must weigh less than a third of it."""
        plan = self._simulation.nemesis.plan
        is_borne = committee.bears(plan.byzantine + plan.forgetful)
        self._checks.require(is_borne, "bound of a set", f"height {height}: {committee.seats}")

    def signed(self, machine: "Machine", public: bytes, message: bytes, signature: bytes) -> None:
        """Look at a signature as it is made; honest nodes make none where they are no members."""
        height = self._checks.witness.signed(public, message, signature)
        if height is not None and machine.is_honest:
            is_member = public in self.committees.at(height).weights
            self._checks.require(
                is_member, "signature of no member", f"node {machine.slot} at {height}"
            )

    def silent(self) -> list[int]:
        """Return honest members that have not yet voted, with their present key, in the last set.

        Empty as long as the set is that of genesis: then liveness says enough.
        """
        newest, story = self.committees.newest, self._simulation.story
        if not story.changes:
            return []
        machines, height = self._simulation.machines, self.committees.since
        return [
            one.member
            for one in newest.seats
            if machines[one.member].is_honest
            and self._checks.witness.voted_at.get(one.public.public, 0) < height
        ]

    def check_certificate(self, certificate: QuorumCertificate, header: Header) -> None:
        """Look at the certificate of a decided block, naively."""
        height, where = header.height, f"height {header.height}"
        is_named = (certificate.height, certificate.block_id) == (height, header.digest)
        self._checks.require(is_named, "certificate of another block", where)
        message = precommit_message(
            self._network.genesis.network_id, height, certificate.round, header.digest
        )
        committee = self.committees.at(height)
        signers = set()
        for index, signature in certificate.signatures:
            public = committee.seats[index].public if index < len(committee.seats) else None
            good = public is not None and invented_signature(public, message) == signature
            self._checks.require(good, "certificate signature", where)
            assert public is not None, "required just now"
            signers.add(public.public)
        self._checks.require(committee.is_quorum(signers), "certificate weight", where)
