"""Trying an import on the state that a node tells, with the validators' own rules; nothing is sent.

A run like any other (`cli.import_run`), on a copy of the journal in memory and on an overlay of the
state: each row finds what the rows before it would have left, as in the ledger. Three things are
taken as given: signatures, the window that the ballot would open, and that the tags of sealed
numbers are free, for only the tag services and the custodian can tell.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cli.acting import Actor, Order
from cli.carrying import BATCH_ENTRIES, Carried
from cli.client import Call
from cli.import_journal import DEED
from cli.import_plan import IMPORT_LEGACY
from cli.import_problems import Problem
from cli.import_run import ImportRun, MakeOrder
from cli.import_windows import WindowWish, check_window, planned_window
from cli.packages import Package
from cli.trying import PLACEHOLDER, placeholders, rule_reader
from keys.errors import CivregError
from keys.hashing import Digest, sha256
from ledger.canonical import Value, decode
from ledger.entries import BLIND_BYTES, compose
from ledger.ids import OfficeId, RecordId
from ledger.parts import Claim, Match, RecordPart, TagProof, sort_claims, sort_matches
from ledger.state_keys import StateKey
from node.tag_askers import officer_of
from registry.apply import BlockContext, VerifiedEntry, rehearse
from registry.claims import one_spelling, tag_checks
from registry.custodian_messages import TagWish
from registry.object_rows import ImportRow
from registry.opened_records import check_sealed_values, tagged_paths
from registry.preparing import PreparedAct, PreparedRecord, SealedAct
from registry.rows import NamespaceRow
from registry.state import State
from registry.state_key_names import claim_key, import_key, namespace_key

_DIGEST_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying an import.

    Attributes:
        problems: Rows that the rules would refuse.
        known: Rows that stand in the ledger already.
        count: Entries that were tried and would pass.
        tagged: Whether rows hold numbers of which only the tag services know if they are taken.
    """

    problems: tuple[Problem, ...]
    known: int
    count: int
    tagged: bool


class TrialActor(Actor):
    """An actor whose entries change an overlay of the state and are never sent.

    Args:
        actor: Whose network, keys and clock are taken.
    """

    def __init__(self, actor: Actor) -> None:
        super().__init__(actor.network, actor.genesis, actor.ring)
        self._made: set[bytes] = set()
        self._rules_read = rule_reader(self)
        self._overlay = State(self._read).fork()
        status = self.ask_any(Call(address="", path="/v1/status")).json
        self._block = BlockContext(
            height=int(status["height"]) + 1,
            index=0,
            time_ms=max(self.now_ms, int(status["time_ms"]) + 1),
            network_id=self.genesis.network_id,
        )
        self._secret = self.draw(_DIGEST_BYTES)
        self.tagged_kinds: set[str] = set()

    @property
    def state(self) -> State:
        """The state as it would be after all that was tried."""
        return self._overlay

    def refresh(self) -> None:
        """Keep what was read and tried: no block comes in between."""

    def put_window(self, office: OfficeId, wish: WindowWish) -> None:
        """Have a window open that a ballot would open, unless there is one.

        Raises:
            InvalidInputError: The window that is open is for another type, or has no room.
        """
        key = import_key(office, wish.source)
        row = self._overlay.read(key, ImportRow)
        if row is not None and row.scans_root is not None:
            check_window(row, wish)
            return
        self._overlay.write(key, planned_window(wish, self.today))
        self._overlay.leave_unsealed()

    def make_entries(self, orders: Iterable[Order]) -> list[Package | CivregError]:
        """Try acts one after the other; in the order given, a refusal in the place of its act."""
        sealed = [self._sealed_or_refused(order) for order in orders]
        acts = [one for one in sealed if isinstance(one, SealedAct)]
        self.remote.prefetch([key for act in acts for key in _claims(act.prepared)])
        return [self._tried(one) if isinstance(one, SealedAct) else one for one in sealed]

    def _sealed_or_refused(self, order: Order) -> SealedAct | CivregError:
        try:
            act = self._seal(order).act
            operation = self.find_form(order.act.kind).operation
            for record in act.prepared.records:
                new = record.part.record_version == 1
                check_sealed_values(record.record_type, operation, record.sealed, is_new=new)
                self._made.add(record.part.record_id)
        except CivregError as error:
            return error
        return act

    def _tried(self, act: SealedAct) -> Package | CivregError:
        prepared = act.prepared
        parts = [self._completed(act, at) for at in range(len(prepared.records))]
        count = 2 + len(parts) + len(prepared.act.objects)
        blinds = [self.draw(BLIND_BYTES) for _ in range(count)]
        draft = compose(prepared.head, parts, prepared.act.objects, prepared.context, blinds)
        entry = draft.signed(placeholders(prepared.head))
        self._made |= {entry.entry_digest, prepared.head.act_id}
        self._block = self._block.at(self._block.index + 1)
        try:
            tag_keys = tuple([check[0] for check in tag_checks(self._overlay, entry)])
            rehearse(self._overlay, VerifiedEntry(entry, tag_keys), self._block)
        except CivregError as error:
            return error
        return Package(entry, ())

    def _completed(self, act: SealedAct, at: int) -> RecordPart:
        """Return a record part with its seal and, for each tag, one that nobody else has."""
        prepared, sealed = act.prepared, act.sealed[at]
        record = prepared.records[at]
        claims: list[Claim] = list(record.part.claims)
        matches: list[Match] = []
        for wish in record.tags:
            row = self._overlay.read(namespace_key(wish.namespace), NamespaceRow)
            tag = self._tag(record, wish)
            officer, until_ms = officer_of(prepared.head), prepared.head.not_after_ms
            proof = TagProof(Digest(bytes(_DIGEST_BYTES)), officer, until_ms, PLACEHOLDER)
            epoch = 1 if row is None else row.epoch
            if wish.unique:
                self.tagged_kinds.add(prepared.head.kind)
                claims.append(Claim(wish.namespace, epoch, tag, proof))
            else:
                matches.append(Match(wish.namespace, epoch, tag, proof))
        return replace(
            record.part,
            claims=sort_claims(claims),
            matches=sort_matches(matches),
            seal=None if sealed is None else sealed.seal(Digest(self.draw(_DIGEST_BYTES))),
        )

    def _tag(self, record: PreparedRecord, wish: TagWish) -> Digest:
        """Return a tag that a value always has in this trial, and that nobody else's has."""
        paths = tagged_paths(record.record_type, wish)
        values = [str(record.sealed[path]) for path in paths if path in record.sealed]
        tag = sha256("\x00".join([wish.namespace, *values]).encode() + self._secret)
        self._made.add(tag)
        return tag

    def _read(self, raw_key: bytes) -> bytes | None:
        """Read a row; nobody need be asked for what is under an id drawn in this trial."""
        key = decode(raw_key, len(raw_key))
        if isinstance(key, tuple) and any(_is_in(item, self._made) for item in key):
            return None
        return self._rules_read(raw_key)


def _is_in(item: Value, made: set[bytes]) -> bool:
    return isinstance(item, bytes) and item in made


def _claims(prepared: PreparedAct) -> Iterable[StateKey]:
    """Yield where the claims of an act in clear would stand, to read many at once."""
    for record in prepared.records:
        for claim in record.part.claims:
            yield claim_key(claim.namespace, claim.epoch, claim.value)
        legacy = record.part.member.get("legacy")
        if isinstance(legacy, dict):
            namespace = f"legacy.{record.part.type_name}.{legacy['system']!s}"
            yield claim_key(namespace, 0, one_spelling(str(legacy["id"])))


class TrialRun(ImportRun):
    """A run whose waves are tried instead of sent; see `ImportRun`."""

    def _recover(self, step: str) -> None:
        """Leave what is under way: if it came into the ledger, the ledger knows its number."""

    def _see(self, records: Sequence[RecordId]) -> None:
        """Read nothing ahead: the records are those that this trial made."""

    def _wave(
        self, step: str, items: Sequence[tuple[str, int]], make: MakeOrder
    ) -> list[tuple[str, str]]:
        refused: list[tuple[str, str]] = []
        for at in range(0, len(items), BATCH_ENTRIES):
            part = items[at : at + BATCH_ENTRIES]
            made = self._actor.make_entries([make(row, attempt) for row, attempt in part])
            self._note_under_way(step, part, made)
            tried = [
                Carried(one, None, None) if isinstance(one, Package) else Carried(None, None, one)
                for one in made
            ]
            refused += self._settle(step, [row for row, _attempt in part], tried)
            self._advance(len(part))
        return refused

    def tried(self, wish: WindowWish) -> Tried:
        """Try all rows that are left.

        Args:
            wish: The window that would be opened; how many records it needs is counted here.

        Raises:
            InvalidInputError: The window that is open is for another type, or has no room.
            CivregError: The rules cannot be tried.
        """
        trial = self._actor
        assert isinstance(trial, TrialActor), "nothing may be sent"
        left = self.begin()
        came = self._done(DEED) & self._deeds.keys()  # before this trial notes its own
        if self._mapping.first == IMPORT_LEGACY and left:
            trial.put_window(self._offices.register.office_id, replace(wish, needed=left))
        progress = self.run()
        return Tried(
            problems=tuple(progress.problems),
            known=len(progress.known | came),
            count=progress.owners + progress.firsts + progress.laters,
            tagged=any(kind.startswith(f"{wish.type_name}/") for kind in trial.tagged_kinds),
        )
