"""An import at work: owners, their keys, records, later rows; each wave builds on those before.

Everything is signed and journaled before it is submitted. What was under way when the program died
is submitted again first, byte for byte; what stands in the ledger already is not made again.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cli.acting import Actor, Order
from cli.carrying import (
    BATCH_ENTRIES,
    BATCHES_UNDER_WAY,
    Batch,
    Carried,
    arrive,
    send,
    wait_until_seen,
)
from cli.errors import code_of
from cli.generated_acts import PersonKeys, enrolment_act, identity_act
from cli.import_journal import DEED, KEYS, OWNER, ImportJournal
from cli.import_owners import Owners
from cli.import_plan import Deed, Plan, make_act
from cli.import_problems import Advised, Problem, Refused, Said, said
from cli.import_refusals import refusals, row_problem
from cli.packages import Package
from cli.staff import Staff, persons_with
from keys.errors import CivregError
from ledger.ids import RecordId
from ledger.state_keys import StateKey
from registry.claims import one_spelling
from registry.drafting import Target
from registry.rows import ClaimRow
from registry.signer_plan import Hands
from registry.state_key_names import claim_key, record_key

TAKEN: Final = "registry.taken"
ATTEMPTS_MAX: Final = 5
RECOVER_ENTRIES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Offices:
    """Who signs: the office of the register, and that of the owners' identities."""

    register: Staff
    owners: Staff | None


@dataclass(slots=True)
class Progress:
    """What an import has done.

    Attributes:
        known: Rows that stood in the ledger before, by another import of them.
        problems: Rows that the network refused.
        owners, firsts, laters: How many were registered by this run.
    """

    known: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    owners: int = 0
    firsts: int = 0
    laters: int = 0


MakeOrder = Callable[[str, int], Order]
"""Returns the order of a row's step; the number is the attempt."""


class ImportRun:
    """One import of one file.

    Args:
        actor: The network, with the officers' keys.
        plan: What is to be done.
        offices: Who signs.
        journal: Where it is noted.
        owners: Makes owners; None where the type has none.
        advance: Told how many more entries are decided.
    """

    def __init__(
        self,
        actor: Actor,
        plan: Plan,
        offices: Offices,
        journal: ImportJournal,
        owners: Owners | None,
        advance: Callable[[int], None],
    ) -> None:
        self._actor = actor
        self._plan = plan
        self._mapping = plan.mapping
        self._offices = offices
        self._journal = journal
        self._owners = owners
        self._advance = advance
        self._deeds = {deed.name: deed for deed in plan.deeds}
        self.progress = Progress()

    def begin(self) -> int:
        """Settle what an interrupted run left; return how many records are still to be brought in.

        Raises:
            NoNetworkError: No node answers.
        """
        for step in (OWNER, KEYS, DEED):
            self._recover(step)
        self._find_known()
        done = self._done(DEED) | self.progress.known
        return sum(1 for deed in self._plan.firsts if deed.name not in done)

    def run(self) -> Progress:
        """Do everything that is left, after `begin`.

        Raises:
            NoNetworkError: No node answers; the next run goes on from here.
        """
        if self._owners is not None:
            self._make_owners()
            self._enrol_sellers()
        for rank in range(self._plan.ranks):
            self._register(rank)
        return self.progress

    # --- what is left -----------------------------------------------------------------------------

    def _recover(self, step: str) -> None:
        """Submit again what was signed and may have been submitted before a kill.

        What is refused is not reported here: a row of this file is made and judged anew.
        """
        waiting = list(self._journal.under_way(step))
        for at in range(0, len(waiting), RECOVER_ENTRIES):
            batch = waiting[at : at + RECOVER_ENTRIES]
            carried = arrive(
                send(self._actor, [package for _row, package, _n in batch], self._actor.addresses)
            )
            self._note_settled(step, [row for row, _package, _n in batch], carried)

    def _find_known(self) -> None:
        """Find rows that the ledger has, though this journal does not say so."""
        done = self._done(DEED)
        wanted = {
            deed.name: key
            for deed in self._plan.deeds
            if deed.name not in done and (key := self._claim_of(deed)) is not None
        }
        self._actor.refresh()
        self._actor.remote.prefetch(wanted.values())
        state = self._actor.state
        found = {name for name, key in wanted.items() if state.read(key, ClaimRow) is not None}
        self.progress.known = found

    def _claim_of(self, deed: Deed) -> StateKey | None:
        """Return the state key of a claim that a row's act makes, whatever its rank if possible."""
        for unique in self._actor.find_type(self._mapping.type_name).unique:
            if unique.mode == "value" and len(unique.fields) == 1:
                source = self._mapping.fields.get(unique.fields[0])
                if source is not None and source.column == self._mapping.id_column:
                    return claim_key(unique.namespace, 0, one_spelling(deed.name))
        if deed.rank:
            return None
        namespace = f"legacy.{self._mapping.type_name}.{self._mapping.source}"
        return claim_key(namespace, 0, one_spelling(deed.name))

    def _done(self, step: str) -> set[str]:
        found = self._journal.steps(step)
        return {row for row, one in found.items() if one.is_committed}

    # --- waves ------------------------------------------------------------------------------------

    def _make_owners(self) -> None:
        """Create an identity for the owner after each row that is still to come."""
        gone = self._done(DEED) | self.progress.known | self._done(OWNER)
        left = [deed.name for deed in self._plan.deeds if deed.name not in gone]
        attempts = {row: one.attempt for row, one in self._journal.steps(OWNER).items()}
        for _turn in range(ATTEMPTS_MAX):
            refused = self._wave(OWNER, [(row, attempts.get(row, 0)) for row in left], self._owner)
            self.progress.owners += len(left) - len(refused)
            left = [row for row, code in refused if code == TAKEN]
            attempts |= {row: attempts.get(row, 0) + 1 for row in left}
            if not left:
                return
        for row in left:
            self._report(row, said("no_free_number", code=TAKEN), said("fix_no_free_number"))

    def _owner(self, row: str, attempt: int) -> Order:
        assert self._owners is not None, "only types with owners make them"
        staff = self._owners_office
        act = identity_act(self._owners.person(row, attempt), self._actor.today)
        return Order(act=act, hands=staff.hands, office=staff.office_id, asker=staff.asker)

    @property
    def _owners_office(self) -> Staff:
        assert self._offices.owners is not None, "a type with owners has an office for them"
        return self._offices.owners

    def _enrol_sellers(self) -> None:
        """Have owners enrol keys who sell or who buy from another owner."""
        gone = self._done(KEYS)
        owners = self._done(OWNER)
        signing = self._plan.signing(self.progress.known)
        left = sorted(name for name in signing if name not in gone and name in owners)
        self._see([self._journal.steps(OWNER)[name].record_id for name in left])
        self._wave(KEYS, [(name, 0) for name in left], self._enrolment)

    def _enrolment(self, row: str, _attempt: int) -> Order:
        assert self._owners is not None, "only types with owners make them"
        staff, owner = self._owners_office, self._journal.step(OWNER, row)
        keys = self._keys_on_ring(row)
        created = identity_act(self._owners.person(row, owner.attempt), self._actor.today)
        hands = replace(staff.hands, new_keys=(keys.sign.public.key_id, keys.auth.public.key_id))
        return Order(
            act=enrolment_act(created, keys),
            hands=hands,
            office=staff.office_id,
            asker=staff.asker,
            target=self._actor.target(owner.record_id),
        )

    def _register(self, rank: int) -> None:
        """Register the rows of one rank: those that bring a record in, or their followers."""
        done = self._done(DEED) | self.progress.known
        left = [deed for deed in self._plan.deeds if deed.rank == rank and deed.name not in done]
        owners = self._done(OWNER)
        ready = [deed for deed in left if self._is_ready(deed, owners, done)]
        self._see(self._records_of(ready))
        refused = self._wave(DEED, [(deed.name, 0) for deed in ready], self._deed)
        count = len(ready) - len(refused)
        if rank:
            self.progress.laters += count
        else:
            self.progress.firsts += count

    def _is_ready(self, deed: Deed, owners: set[str], done: set[str]) -> bool:
        """Tell whether what a row builds on is there, and nothing that builds on it; or report."""
        if self._owners is not None and deed.name not in owners:
            return False  # Its owner was refused, and reported.
        if any(self._plan.name_of(row) in done for row in deed.chain[deed.rank + 1 :]):
            self._report(deed.name, said("later_is_there"), said("fix_later_is_there"))
            return False
        if deed.rank and self._plan.before(deed) not in done - self.progress.known:
            self._report(deed.name, *self._why_not_after(deed))
            return False
        return True

    def _why_not_after(self, deed: Deed) -> tuple[Said, Said]:
        """Return why a later row cannot follow the one before it, and what to do."""
        if self._plan.before(deed) in self.progress.known:
            return said("not_by_this_journal"), said("fix_not_by_this_journal")
        line = self._plan.line_before(deed)
        return said("before_is_out", line=line), said("fix_before_is_out", line=line)

    def _records_of(self, deeds: Iterable[Deed]) -> list[RecordId]:
        owners, records = self._journal.steps(OWNER), self._journal.steps(DEED)
        found: list[RecordId] = []
        for deed in deeds:
            if self._owners is not None:
                found.append(owners[deed.name].record_id)
            if deed.rank:
                found.append(records[self._plan.first(deed)].record_id)
        return found

    def _deed(self, row: str, _attempt: int) -> Order:
        deed, staff = self._deeds[row], self._offices.register
        operation = self._mapping.later if deed.rank else self._mapping.first
        form_kind = self._actor.find_form(f"{self._mapping.type_name}/{operation}")
        holder = None
        hands, target = staff.hands, None
        if self._owners is not None:
            holder = self._journal.step(OWNER, row).record_id
        if deed.rank:
            target = self._target(deed)
            hands = self._parties(deed, holder)
        act = make_act(self._plan, deed, form_kind, holder)
        return Order(act=act, hands=hands, office=staff.office_id, asker=staff.asker, target=target)

    def _target(self, deed: Deed) -> Target:
        return self._actor.target(self._journal.step(DEED, self._plan.first(deed)).record_id)

    def _parties(self, deed: Deed, buyer: RecordId | None) -> Hands:
        """Return the office's hands with those of the seller and the buyer."""
        seller_row = self._plan.before(deed)
        seller = self._journal.step(OWNER, seller_row).record_id
        both = {seller: self._keys_on_ring(seller_row).sign.public.key_id}
        if buyer is not None:
            both[buyer] = self._keys_on_ring(deed.name).sign.public.key_id
        return persons_with(both, self._offices.register.hands)

    def _keys_on_ring(self, row: str) -> PersonKeys:
        assert self._owners is not None, "only rows with owners have keys"
        keys = self._owners.keys(row)
        self._actor.ring.add_all((keys.sign, keys.auth, keys.seal))
        return keys

    # --- carrying ---------------------------------------------------------------------------------

    def _see(self, records: Sequence[RecordId]) -> None:
        """Read many records with few requests, as they are now."""
        self._actor.refresh()
        self._actor.remote.prefetch([record_key(record) for record in records])

    def _wave(
        self, step: str, items: Sequence[tuple[str, int]], make: MakeOrder
    ) -> list[tuple[str, str]]:
        """Make, journal and submit the entries of a step; return refused rows with their codes."""
        under_way: deque[tuple[list[str], Batch]] = deque()
        refused: list[tuple[str, str]] = []
        last: list[Carried] = []
        nodes = list(self._actor.addresses)
        for at in range(0, len(items), BATCH_ENTRIES):
            part = items[at : at + BATCH_ENTRIES]
            made = self._actor.make_entries([make(row, attempt) for row, attempt in part])
            self._note_under_way(step, part, made)
            under_way.append(([row for row, _attempt in part], send(self._actor, made, nodes)))
            nodes.append(nodes.pop(0))
            if len(under_way) >= BATCHES_UNDER_WAY:
                rows, batch = under_way.popleft()
                last = arrive(batch, self._advance)
                refused += self._settle(step, rows, last)
        for rows, batch in under_way:
            last = arrive(batch, self._advance)
            refused += self._settle(step, rows, last)
        wait_until_seen(self._actor, last)
        return refused

    def _note_under_way(
        self, step: str, part: Sequence[tuple[str, int]], made: Sequence[Package | CivregError]
    ) -> None:
        self._journal.put_under_way(
            step,
            [
                (row, package, attempt)
                for (row, attempt), package in zip(part, made, strict=True)
                if isinstance(package, Package)
            ],
        )

    def _settle(
        self, step: str, rows: Sequence[str], carried: Sequence[Carried]
    ) -> list[tuple[str, str]]:
        """Note what became of entries and report refusals; return refused rows with codes."""
        self._note_settled(step, rows, carried)
        refused: list[tuple[str, str]] = []
        for row, one in zip(rows, carried, strict=True):
            if one.error is None:
                continue
            code = code_of(one.error)
            refused.append((row, code))
            if not (step == OWNER and code == TAKEN):
                self._report_refusal(step, row, one.error)
        return refused

    def _note_settled(self, step: str, rows: Sequence[str], carried: Sequence[Carried]) -> None:
        decided: list[tuple[str, str | None, str | None]] = []
        for row, one in zip(rows, carried, strict=True):
            error = one.error
            decided.append(
                (row, None, None) if error is None else (row, code_of(error), str(error))
            )
        self._journal.settle(step, decided)

    def _report_refusal(self, step: str, row: str, error: CivregError) -> None:
        deed = self._deeds[row]
        if step == DEED:
            unique = self._actor.find_type(self._mapping.type_name).unique
            self.progress.problems += refusals(deed, self._mapping, unique, error)
        else:  # The file says nothing of a generated owner, so no column of it is wrong.
            rule = Refused(code_of(error), error.details, str(error))
            self._report(row, said("of_owner", rule=rule), Advised(rule.code, rule.details))

    def _report(self, row: str, rule: Said, fix: Said | Advised) -> None:
        self.progress.problems.append(row_problem(self._deeds[row], self._mapping, rule, fix))
