"""An admitted validator says that it has caught up: the act `validator/ready`, by its own node.

A ballot admits a validator; the set counts it only when its node follows the chain. So the node of
an agency that has been given a weight and is not in the set declares itself as soon as it is as
far as the others say that they are, and again, with a newer header, if that came into no block.
"""

import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from keys.errors import CivregError
from keys.hashing import Digest
from keys.signing import Purpose, SoftwareKey
from ledger.entries import Context, Entry, Evidence, KeySigner, ObjectPart, compose
from ledger.ids import ActId, AgencyId
from ledger.parts import Head
from node.application import Application
from node.clock import Clock
from node.directory import agency_of
from node.logs import Log
from node.submissions import Result, Submission
from registry.civil_calendar import civil_date
from registry.code_tables import record_type
from registry.schema import RecordType

if TYPE_CHECKING:
    from node.app import Node

KIND: Final = "validator/ready"
AGAIN_HEIGHTS: Final = 20
"""Blocks after which it is declared again, if the set still does not count this node."""
NOT_AFTER_MS: Final = 3_600_000
PARTS: Final = 3
"""Head, readiness, context."""

Submit = Callable[[Sequence[Submission]], Awaitable[Sequence[Result]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyPlan:
    """What the act shall say.

    Attributes:
        network_id: 32 bytes.
        record_type: The type `validator` in force.
        height: Of the header that is named.
        header: Its digest.
        day: Civil date of today.
        now_ms: What time it is.
    """

    network_id: Digest
    record_type: RecordType
    height: int
    header: Digest
    day: str
    now_ms: int


def make_ready_entry(plan: ReadyPlan, key: SoftwareKey) -> Entry:
    """Return the signed act.

    Args:
        plan: What it says.
        key: The consensus key that the state has of the agency.
    """
    head = Head(
        network_id=plan.network_id,
        kind=KIND,
        schema_version=plan.record_type.version,
        act_id=ActId(secrets.token_bytes(16)),
        about=None,
        office=None,
        event_date=plan.day,
        received_on=None,
        not_after_ms=plan.now_ms + NOT_AFTER_MS,
        legal_basis=plan.record_type.operations["ready"].basis,
        signers=(KeySigner("consensus_key", None, key.public.key_id),),
    )
    context = Context(
        rules=(),
        evidence=Evidence(sufficient=False, official=False, digests=()),
        court_order=None,
        reason=None,
    )
    item = ObjectPart("readiness", {"height": plan.height, "header": plan.header})
    blinds = [secrets.token_bytes(16) for _ in range(PARTS)]
    unsigned = compose(head, (), (item,), context, blinds)
    return unsigned.signed([key.sign(unsigned.sign_message)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyPorts:
    """What a node declares itself with.

    Attributes:
        application: The chain.
        submit: The door for entries.
        is_caught_up: Whether the node is as far as the others say that they are.
        clock: Dates the act.
        log: Takes notes.
    """

    application: Application
    submit: Submit
    is_caught_up: Callable[[], bool]
    clock: Clock
    log: Log


class Readiness:
    """Declares this node ready when it is.

    Args:
        own: Whose node this is; None for an observer, who is never ready.
        keys: Its consensus keys, the present and the next, as far as they are here.
        ports: What it works with.
    """

    def __init__(
        self, own: AgencyId | None, keys: Iterable[SoftwareKey], ports: ReadyPorts
    ) -> None:
        self._own = own
        self._keys = {key.public.key_id: key for key in keys}
        self._application = ports.application
        self._ports = ports
        self._declared_at = -AGAIN_HEIGHTS

    @property
    def is_wanted(self) -> bool:
        """Whether this node has been admitted, holds its key, and the set does not count it yet."""
        return self._key() is not None

    def _key(self) -> SoftwareKey | None:
        application = self._application
        if self._own is None:
            return None
        if application.validators_at(application.tip_height + 2).index_of(self._own) is not None:
            return None
        row = agency_of(application, self._own)
        key_id = None if row is None or row.weight == 0 else row.keys.get(Purpose.CONSENSUS)
        return None if key_id is None else self._keys.get(key_id)

    async def consider(self) -> None:
        """Declare this node ready, if it is admitted, has caught up and did not just do so."""
        height = self._application.tip_height
        if height < self._declared_at + AGAIN_HEIGHTS:
            return
        key = self._key()
        if key is None or not self._ports.is_caught_up():
            return
        header = self._application.header_digest(height)
        if header is None:
            return
        self._declared_at = height
        now_ms = self._ports.clock.now_ms()
        plan = ReadyPlan(
            network_id=self._application.network_id,
            record_type=record_type(self._application.state(), "validator", height + 1),
            height=height,
            header=header,
            day=civil_date(now_ms),
            now_ms=now_ms,
        )
        try:
            (result,) = await self._ports.submit([Submission(make_ready_entry(plan, key).raw, ())])
            if isinstance(result, CivregError):
                raise result
        except CivregError as error:  # refused, or the way to the door is full: later again
            self._ports.log.warning("ready_refused", height=height, code=error.code)
        else:
            self._ports.log.info("ready_declared", height=height)


def open_readiness(node: "Node", submit: Submit) -> Readiness:
    """Return what declares a node ready."""
    held = (node.keys.get(Purpose.CONSENSUS), node.next_keys.get(Purpose.CONSENSUS))
    ports = ReadyPorts(
        application=node.application,
        submit=submit,
        is_caught_up=lambda: node.world.sync.is_caught_up,
        clock=node.clock,
        log=node.log,
    )
    return Readiness(node.config.agency, [key for key in held if key is not None], ports)
