"""What the demonstration's steps share: the network, the people in it, and what is counted."""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cli.acting import Actor, Order
from cli.carrying import carry, wait_until_seen
from cli.generated_acts import Parents, PersonKeys
from cli.import_session import Found
from cli.local_nodes import LocalNodes
from cli.output import Advance, Context, note, progress
from cli.packages import Package
from cli.people import PeopleMaker, Person
from cli.staff import Staff
from keys.signing import KeyId
from ledger.ids import RecordId
from registry.acts import Act
from registry.drafting import Target


@dataclass(slots=True, kw_only=True)
class Citizen:
    """A generated adult in the network.

    Attributes:
        person: Who.
        identity_id: The block-chain id.
        created: The act that created the identity.
        last: The newest entry that wrote it.
        keys: The enrolled keys; None while the office has custody.
        contact: The newest entry of the contact data, or None.
    """

    person: Person
    identity_id: RecordId
    created: Act
    last: Package
    keys: PersonKeys | None = None
    contact: Package | None = None

    @property
    def auth(self) -> KeyId:
        """Key id with which the citizen asks."""
        assert self.keys is not None, "only who has enrolled keys asks"
        return self.keys.auth.public.key_id

    @property
    def sign(self) -> KeyId:
        """Key id with which the citizen signs."""
        assert self.keys is not None, "only who has enrolled keys signs"
        return self.keys.sign.public.key_id


class Party(Protocol):
    """Who can sell or buy: a citizen, or the generated owner of an imported title."""

    @property
    def identity_id(self) -> RecordId:
        """The block-chain id."""

    @property
    def sign(self) -> KeyId:
        """Key id with which the party signs."""


@dataclass(slots=True, kw_only=True)
class Title:
    """A land title in the network: its newest act, where it stands, and who holds it."""

    act: Act
    target: Target
    holder: Party
    sales: int = 0


@dataclass(frozen=True, slots=True)
class OwnRegister:
    """The user's own land register, read before anything is started.

    Attributes:
        file: Where it lies.
        found: Its good rows as a plan, and what is wrong with the others.
    """

    file: Path
    found: Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What came of the user's own register.

    Attributes:
        file: Where it lies.
        records: How many it has, good and bad.
        titles: How many it brought in.
        transfers: How many of its rows were transfers that happened.
        owners: How many owners were generated.
        problems: How many of its rows did not come in; the report tells why.
        report: Where it is; None if all came in.
    """

    file: Path
    records: int
    titles: int
    transfers: int
    owners: int
    problems: int
    report: Path | None


@dataclass(slots=True)
class Tally:
    """What the demonstration counts; the numbers of its summary."""

    births: int = 0
    identities: int = 0
    titles: int = 0
    transfers: int = 0
    contacts: int = 0
    register: Incoming | None = None
    refused: Counter[str] = field(default_factory=Counter)
    killed_node: str = ""
    committed_meanwhile: int = 0
    caught_up: bool = False
    roots_equal: bool = False
    receipt_verified: bool = False
    audit: str = "not run"
    entries: int = 0
    blocks: int = 0


@dataclass(slots=True, kw_only=True)
class Scene:
    """The stage of the demonstration.

    Attributes:
        folder: Where everything lies.
        context: How it is shown.
        actor: The network with the keys of everybody.
        nodes: Its four processes.
        maker: Makes persons.
        justice, land: Whose officers act.
        births_wished: How many births.
        titles_wished: How many generated titles; of an own register, how many are sold.
        victim: Agency whose node is killed.
        register: The user's own land register, instead of generated titles; or None.
        citizens: Adults with keys first, then those without.
        families: Parents to be, one child each.
        titles: Land titles.
        tally: What is counted.
    """

    folder: Path
    context: Context
    actor: Actor
    nodes: LocalNodes
    maker: PeopleMaker
    justice: Staff
    land: Staff
    births_wished: int
    titles_wished: int
    victim: str
    register: OwnRegister | None = None
    citizens: list[Citizen] = field(default_factory=list)
    families: list[Parents] = field(default_factory=list)
    titles: list[Title] = field(default_factory=list)
    births: list[Package] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    @property
    def keyed(self) -> list[Citizen]:
        """Citizens with enrolled keys."""
        return [citizen for citizen in self.citizens if citizen.keys is not None]

    def say(self, key: str, **values: object) -> None:
        """Say something to a person."""
        note(self.context.say(key, **values), self.context)

    @contextmanager
    def watched(self, key: str, total: int) -> Generator[Advance]:
        """Show how far a piece of work is."""
        with progress(self.context.say(key), total, self.context) as advance:
            yield advance

    def carry(self, key: str, orders: Sequence[Order]) -> list[Package]:
        """Make and commit acts; every one must succeed.

        Raises:
            CivregError: One was refused.
        """
        with self.watched(key, len(orders)) as advance:
            carried = carry(self.actor, orders, advance)
        made = [item.made() for item in carried]
        wait_until_seen(self.actor, carried)
        return made

    def order(self, staff: Staff, act: Act, target: Target | None = None, **given: object) -> Order:
        """Return an order of an office, by its own officers unless `hands` says otherwise."""
        settings = {"hands": staff.hands, "asker": staff.asker, **given}
        return Order(act=act, office=staff.office_id, target=target, **settings)  # type: ignore[arg-type]
