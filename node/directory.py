"""Which other nodes there are, by which key they are known and where they listen.

The state says so: agencies that are members, or that vote in one of the next heights, with the peer
keys and addresses of their rows. A node that has no chain yet begins with those of genesis. The
config may name other addresses, which win. A key that is no peer key here does not get in, whoever
holds it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from keys.signing import Algorithm, KeyId, PublicKey, Purpose
from ledger.canonical import decode
from ledger.genesis import Genesis
from ledger.ids import AgencyId
from ledger.state_keys import read_stored_value
from node.application import Application
from node.config import Address, parse_address
from node.config_problems import ConfigProblem
from node.errors import ConfigError
from node.peers import PeerNode
from registry.authority_rows import AgencyRow, KeyRow
from registry.civil_calendar import civil_date, in_range
from registry.state_key_names import agency_key, key_key

_SCHEME: Final = "https://"
"""May stand before an address; there is no other way to a peer."""
AGENCY: Final = "agency"
"""Kind of the state's rows that say where nodes are."""


@dataclass(frozen=True, slots=True)
class Member:
    """An agency's node as the network knows it.

    Attributes:
        agency_id: Whose it is.
        key: Its peer key.
        address: As the agency wrote it.
    """

    agency_id: AgencyId
    key: PublicKey
    address: str


@dataclass(frozen=True, slots=True)
class Directory:
    """The nodes of a network as one of them sees it.

    Attributes:
        nodes: The other nodes, ascending by agency.
        by_key_id: Their agencies by the ids of their peer keys.
        own_key: By which key the others know this node; None for an observer.
    """

    nodes: tuple[PeerNode, ...]
    by_key_id: Mapping[bytes, AgencyId] = field(repr=False)
    own_key: KeyId | None = None

    def peer_of(self, key_id: bytes) -> AgencyId | None:
        """Return whose peer key this is, or None."""
        return self.by_key_id.get(key_id)

    @property
    def pins(self) -> tuple[PublicKey, ...]:
        """The peer keys of the other nodes."""
        return tuple([node.key for node in self.nodes])


def genesis_members(genesis: Genesis) -> tuple[Member, ...]:
    """Return the founders' nodes."""
    return tuple(
        [Member(part.agency_id, part.keys["peer"], part.peer_address) for part in genesis.parts]
    )


def state_members(application: Application) -> tuple[Member, ...]:
    """Return the nodes of the agencies that count after the chain's tip, ascending by agency."""
    state, tip_height = application.state(), application.tip_height
    day = civil_date(application.tip_time_ms)
    voters = [application.validators_at(tip_height + ahead) for ahead in (1, 2)]
    found: list[Member] = []
    for key_raw, stored in application.store.scan_state(AGENCY):
        key = decode(key_raw, len(key_raw))
        assert type(key) is tuple, "state keys are arrays"
        agency, row = AgencyId(_bytes(key[1])), AgencyRow.from_value(read_stored_value(stored)[1])
        votes = any(one.index_of(agency) is not None for one in voters)
        peer_key = state.read(key_key(row.keys[Purpose.PEER]), KeyRow)
        if peer_key is not None and (votes or in_range(day, row.from_date, row.to_date)):
            found.append(Member(agency, peer_key.public_key, row.peer_address))
    return tuple(sorted(found, key=lambda one: one.agency_id))


def agency_of(application: Application, own: AgencyId) -> AgencyRow | None:
    """Return the row of an agency that is a member on the day of the chain's tip, or None."""
    row = application.state().read(agency_key(own), AgencyRow)
    day = civil_date(application.tip_time_ms)
    return row if row is not None and in_range(day, row.from_date, row.to_date) else None


def agency_name(application: Application, agency: AgencyId) -> str:
    """Return what an agency is called in the state, members of the past among them; else ""."""
    row = application.state().read(agency_key(agency), AgencyRow)
    return "" if row is None else row.name


def make_directory(
    members: Iterable[Member], own: AgencyId | None, addresses: Mapping[AgencyId, Address]
) -> tuple[Directory, tuple[str, ...]]:
    """Return the directory of a node, and what is wrong with the addresses of others.

    Args:
        members: Of the network.
        own: Whose node this is; it is left out.
        addresses: Those that replace the ones that members have.
    """
    problems: list[str] = []
    nodes: list[PeerNode] = []
    own_key: KeyId | None = None
    for member in members:
        if member.agency_id == own:
            own_key = member.key.key_id
            continue
        address = addresses.get(member.agency_id)
        try:
            address = address or parse_address(member.address.removeprefix(_SCHEME))
        except ValueError as error:
            named = f"peers.{member.agency_id.hex()}"
            problem = f"{named}: no usable address: {error}"
            problems.append(ConfigProblem(problem, f"{named}: địa chỉ không dùng được"))
            continue
        if member.key.algorithm is Algorithm.P256:
            nodes.append(PeerNode(member.agency_id, member.key, address))
    nodes.sort(key=lambda node: node.agency_id)
    by_key_id: dict[bytes, AgencyId] = {node.key.key_id: node.agency_id for node in nodes}
    return Directory(tuple(nodes), by_key_id, own_key), tuple(problems)


def read_directory(
    genesis: Genesis, own: AgencyId | None, addresses: Mapping[AgencyId, Address]
) -> Directory:
    """Make the directory of a node that has no chain yet.

    Raises:
        ConfigError: A founder's address is none and the config names no other.
    """
    directory, problems = make_directory(genesis_members(genesis), own, addresses)
    if problems:
        raise ConfigError(problems)
    return directory


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes), "an agency's id"
    return value
