"""Acting on the ledger: from an act on paper to entries in the chain, with the keys at hand.

Everything that writes goes through here: clerk and owner commands, imports, the demonstration and
the benchmark.

    with Actor.open(home) as actor:
        package = actor.make_entry(Order(act=act, hands=hands, office=office_id))
        (result,) = actor.submit([package])
        result.check()                            # raises what the ledger refused
        following = package.target(record_id)     # to build on before the commit is known

`make_entry` is `draft` (plan signers, run office rules, seal, custodian prepares) then `sign` with
the keys of the ring, then `complete` (the custodian signs last). Where keys are missing, the draft
goes to others as a file. `make_entries` and `submit` take many at once: requests overlap, bodies
are sealed meanwhile; several hundred entries a second pass through one process.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Final

from cli import custodians
from cli.custodians import Custodian, custodian_of, node_address
from cli.draft_readers import readers_of
from cli.errors import InvalidInputError
from cli.key_ring import KeyRing
from cli.network_file import NetworkFile
from cli.network_view import NetworkView
from cli.packages import Package, Result, Way, package_of, submit_all
from keys.errors import CivregError
from keys.signing import KeyId
from ledger.canonical import Value
from ledger.entries import KeySigner, Signer, sort_signers
from ledger.genesis import Genesis
from ledger.ids import ID_BYTES, ActId, OfficeId, RecordId
from ledger.parts import CUSTODIAN_TERM
from registry.acts import Act
from registry.drafting import compose_act, custodian_request, draft_of
from registry.drafts import Draft, add_signature, missing_keys
from registry.duplicates import BirthSketch
from registry.entry_time import HOUR_MS, hours_ahead
from registry.form_kinds import FormKind
from registry.preparing import Desk, SealedAct, Target, prepare_act, seal_act
from registry.signer_plan import Hands, Scene, plan_signers
from registry.wraps import Reader

MARGIN_MS: Final = 120_000
"""`not_after_ms` stays so far below what a rule allows: clocks differ."""
UNDER_WAY_MAX: Final = 48
"""Entries for which custodians are asked at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One act to be made into an entry.

    Attributes:
        act: What is done; its records are complete.
        hands: Who is ready to sign; the policy of the operation picks from them.
        signers: The exact signers without the custodian, instead of `hands`; nothing is looked up.
        office: The office that acts; for what an owner does alone, the one whose custodian seals.
        target: The record that is changed or that a side act is about: its id, or what is known of
            it; None for a new record.
        not_after_ms: Last block time; None takes as long as such an entry may have.
        births: Births to compare with, for `duplicate_search`; None leaves it unverified.
        asker: Key id of the auth key that asks the custodian; None takes one that is at hand.
        readable: Whether the draft carries wraps for its signers, so that they see what they sign.
        readers: Further seal keys for which it carries wraps.
        previous: Sealed values of the version that is changed, where they are at hand; the planner
            then sees whether a weighty one changes, as the custodian will.
    """

    act: Act
    hands: Hands = field(default_factory=Hands)
    signers: tuple[Signer, ...] | None = None
    office: OfficeId | None = None
    target: RecordId | Target | None = None
    not_after_ms: int | None = None
    births: tuple[BirthSketch, ...] | None = None
    asker: KeyId | None = None
    readable: bool = False
    readers: tuple[Reader, ...] = ()
    previous: Mapping[str, Value] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft with what was sealed in it, for the person who made it.

    Attributes:
        draft: Without signatures.
        opened: Record id -> sealed values by path.
        target: The record that is changed, as it was.
    """

    draft: Draft
    opened: Mapping[RecordId, Mapping[str, Value]] = field(repr=False)
    target: Target | None


@dataclass(frozen=True, slots=True)
class _Sealed:
    """An act that is sealed, with everything that composing it takes but randomness."""

    act: SealedAct
    desk: custodians.Desk | None
    readers: tuple[Reader, ...]
    target: Target | None


class Actor(NetworkView):
    """A network as one person's program sees it, with the keys at hand; a context manager.

    Made by `Actor.open`; its other methods are those of `cli.network_view.NetworkView`.
    """

    def __init__(
        self,
        network: NetworkFile,
        genesis: Genesis,
        ring: KeyRing,
        clock_ms: Callable[[], int] | None = None,
        draw: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        super().__init__(network, genesis, ring, clock_ms)
        self._draw = draw
        self._custodians: dict[OfficeId, Custodian] = {}
        self._desks: dict[tuple[OfficeId, KeyId | None], custodians.Desk] = {}

    def draw(self, size: int) -> bytes:
        """Return random bytes."""
        return self._draw(size)

    # --- making entries ---------------------------------------------------------------------------

    def draft(self, order: Order) -> Draft:
        """Plan, seal and compose an act; its signatures are still missing.

        Raises:
            CivregError: A rule refuses, a record is unknown, or no node answers.
        """
        return self.prepare(order).draft

    def prepare(self, order: Order) -> Drafted:
        """As `draft`, with what was sealed, so that it can be shown before anybody signs."""
        sealed = self._seal(order)
        draft = self.client.run(self._compose(sealed))
        opened = {
            record.part.record_id: record.sealed
            for record in sealed.act.prepared.records
            if record.record_type.sealed_paths
        }
        return Drafted(draft, opened, sealed.target)

    def sign(self, draft: Draft) -> Draft:
        """Add the signatures of all keys at hand.

        Raises:
            KeyFileError: A key file does not open.
        """
        for key_id in missing_keys(draft):
            key = self.ring.get(key_id)
            if key is not None:
                draft = add_signature(draft, key.public, key.sign(draft.entry.sign_message))
        return draft

    def complete(self, draft: Draft, asker: KeyId | None = None) -> Package:
        """Have the custodian sign, where one must, and put entry and bodies together.

        Raises:
            SignerMissingError: A signature of somebody else is missing.
            RemoteRefusalError: The custodian refuses.
        """
        return package_of(self.countersign(draft, asker))

    def countersign(self, draft: Draft, asker: KeyId | None = None) -> Draft:
        """Have the custodian sign, where only that is missing.

        Raises:
            RemoteRefusalError: The custodian refuses.
        """
        if not _custodian_only(draft) or draft.entry.head.office is None:
            return draft
        return self.client.run(self._desk(draft.entry.head.office, asker).sign(draft))

    def make_entry(self, order: Order) -> Package:
        """Make an entry of an act; all its keys must be at hand.

        Raises:
            CivregError: As `draft`, `sign` and `complete`.
        """
        return self.complete(self.sign(self.draft(order)), order.asker)

    def make_entries(self, orders: Iterable[Order]) -> list[Package | CivregError]:
        """Make many entries at once; in the order given, a refusal in the place of its entry."""
        under_way: list[tuple[int, Future[Package]]] = []
        made: dict[int, Package | CivregError] = {}
        for at, order in enumerate(orders):
            try:
                sealed = self._seal(order)
            except CivregError as error:
                made[at] = error
                continue
            under_way.append((at, self.client.start(self._make(sealed))))
            if len(under_way) >= UNDER_WAY_MAX:
                _collect(under_way.pop(0), made)
        for waiting in under_way:
            _collect(waiting, made)
        return [made[at] for at in sorted(made)]

    async def _make(self, sealed: _Sealed) -> Package:
        draft = await self._compose(sealed)
        return await _complete(self.sign(draft), sealed.desk)

    def _seal(self, order: Order) -> _Sealed:
        """Plan the signers, run the office rules, seal the bodies; reads the state."""
        form_kind = self.find_form(order.act.kind)
        target = self._target_of(order, form_kind)
        signers = self._signers_of(order, form_kind, target)
        hours_ms = hours_ahead(form_kind.operation, signers) * HOUR_MS
        desk = Desk(
            network_id=self.genesis.network_id,
            office=order.office,
            act_id=ActId(self._draw(ID_BYTES)),
            not_after_ms=order.not_after_ms or self.now_ms + hours_ms - MARGIN_MS,
        )
        prepared = prepare_act(form_kind, order.act, desk, signers, target, order.births)
        sealed = seal_act(prepared, self._draw)
        service = None
        if sealed.needs_custodian:
            assert order.office is not None, "the custodian was planned as a signer"
            service = self._desk(order.office, order.asker)
        readers: tuple[Reader, ...] = ()
        if order.readable:
            readers = (*readers_of(self, signers, order.act.objects), *order.readers)
        return _Sealed(sealed, service, readers, target)

    def _target_of(self, order: Order, form_kind: FormKind) -> Target | None:
        if order.target is None or isinstance(order.target, Target):
            return order.target
        writes = form_kind.operation.writes
        beside = bool(writes) and writes[0].kind == "companion"
        return self.target(order.target, companion=beside)

    def _signers_of(
        self, order: Order, form_kind: FormKind, target: Target | None
    ) -> tuple[Signer, ...]:
        seals = any(written.sealed_paths for written in form_kind.written)
        custodian = self._custodian(order.office).key.key_id if seals else None
        if order.signers is not None:
            added = [] if custodian is None else [KeySigner(CUSTODIAN_TERM, None, custodian)]
            return sort_signers([*order.signers, *added])
        scene = Scene(
            state=self.state,
            day=self.today,
            record_type=form_kind.record_type,
            record_id=None if target is None else target.record_id,
            row=None if target is None else target.row,
            act=order.act,
            operation=form_kind.operation,
            sealed_before=order.previous,
        )
        return plan_signers(scene, replace(order.hands, custodian=custodian))

    async def _compose(self, sealed: _Sealed) -> Draft:
        reply = None
        if sealed.desk is not None:
            request = custodian_request(sealed.act, sealed.desk.custodian.seal_key)
            reply = await sealed.desk.prepare(request)
        entry = compose_act(sealed.act, reply, self._draw)
        readers = {record.record_id: sealed.readers for record in entry.records}
        return draft_of(sealed.act, entry, readers)

    # --- submitting -------------------------------------------------------------------------------

    def submit(
        self,
        packages: Sequence[Package],
        *,
        wait_commit: bool = True,
        ordered: bool = True,
        address: str | None = None,
    ) -> list[Result]:
        """Submit entries, and wait until they stand in the chain or are refused.

        Submitting again is harmless: an entry is known by its digest.

        Args:
            packages: Any number; sent in requests of at most 2 MiB.
            wait_commit: Whether to wait for the commit; else results may be `pending`.
            ordered: Later entries may build on earlier ones, so requests follow one another.
            address: Base address of a node; None takes all nodes in turn, one if `ordered`.

        Returns:
            One result for each package, in its order; a refusal is a result, not raised.

        Raises:
            NoNetworkError: No node answers.
        """
        way = Way(
            addresses=[address] if address else self.addresses,
            wait_commit=wait_commit,
            ordered=ordered,
        )
        return self.client.run(submit_all(self.client, packages, way))

    # --- inside -----------------------------------------------------------------------------------

    def _custodian(self, office: OfficeId | None) -> Custodian:
        if office is None:
            raise InvalidInputError("an office must be named: its custodian seals", name="office")
        found = self._custodians.get(office)
        if found is None:
            found = custodian_of(self.genesis, self.state, office)
            self._custodians[office] = found
        return found

    def _desk(self, office: OfficeId, asker: KeyId | None) -> custodians.Desk:
        found = self._desks.get((office, asker))
        if found is None:
            custodian = self._custodian(office)
            found = custodians.Desk(
                client=self.client,
                custodian=custodian,
                address=node_address(self.network, custodian.agency_id),
                asker=self.auth_key(asker, custodian.agency_id),
            )
            self._desks[office, asker] = found
        return found

    def refresh(self) -> None:
        """Forget what was read of the state, and where nodes were."""
        super().refresh()
        self._desks.clear()

    def use_asker(self, key_id: KeyId | None) -> None:
        """Sign requests with this auth key from now on; None: with any officer's at hand."""
        super().use_asker(key_id)
        self._desks.clear()


def _custodian_only(draft: Draft) -> bool:
    """Tell whether the custodian's signature is the only one missing."""
    last = draft.entry.head.signers[-1]
    return (
        isinstance(last, KeySigner)
        and last.term == CUSTODIAN_TERM
        and missing_keys(draft) == (last.key_id,)
    )


async def _complete(draft: Draft, desk: custodians.Desk | None) -> Package:
    if desk is not None and _custodian_only(draft):
        draft = await desk.sign(draft)
    return package_of(draft)


def _collect(waiting: tuple[int, Future[Package]], made: dict[int, Package | CivregError]) -> None:
    at, future = waiting
    try:
        made[at] = future.result()
    except CivregError as error:
        made[at] = error
