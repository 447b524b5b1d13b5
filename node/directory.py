"""Which other nodes there are, by which key they are known and where they listen.

From genesis; the config of a node may name newer addresses. A key that is no peer key here does not
get in, whoever holds it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from keys.signing import PublicKey
from ledger.genesis import Genesis
from ledger.ids import AgencyId
from node.config import Address, parse_address
from node.errors import ConfigError
from node.peers import PeerNode

_SCHEME: Final = "https://"
"""May stand before an address in genesis; there is no other way to a peer."""


@dataclass(frozen=True, slots=True)
class Directory:
    """The nodes of a network as one of them sees it.

    Attributes:
        nodes: The other nodes, ascending by agency.
        by_key_id: Their agencies by the ids of their peer keys.
    """

    nodes: tuple[PeerNode, ...]
    by_key_id: Mapping[bytes, AgencyId] = field(repr=False)

    def peer_of(self, key_id: bytes) -> AgencyId | None:
        """Return whose peer key this is, or None."""
        return self.by_key_id.get(key_id)

    @property
    def pins(self) -> tuple[PublicKey, ...]:
        """The peer keys of the other nodes."""
        return tuple([node.key for node in self.nodes])


def read_directory(
    genesis: Genesis, own: AgencyId | None, addresses: Mapping[AgencyId, Address]
) -> Directory:
    """Make the directory of a node.

    Args:
        genesis: The network.
        own: Whose node this is; it is left out.
        addresses: Those that replace the ones of genesis.

    Raises:
        ConfigError: An address that is none, or one for an agency that is not of the network.
    """
    problems: list[str] = []
    known = {part.agency_id for part in genesis.parts}
    problems += [
        f"peers.{agency.hex()}: no agency of this network"
        for agency in addresses
        if agency not in known
    ]
    if own is not None and own not in known:
        problems.append(f"agency: {own.hex()} is no agency of this network")
    nodes: list[PeerNode] = []
    for part in genesis.parts:
        if part.agency_id == own:
            continue
        address = addresses.get(part.agency_id)
        try:
            address = address or parse_address(part.peer_address.removeprefix(_SCHEME))
        except ValueError as error:
            problems.append(f"peers.{part.agency_id.hex()}: no usable address: {error}")
        else:
            nodes.append(PeerNode(part.agency_id, part.keys["peer"], address))
    if problems:
        raise ConfigError(tuple(problems))
    nodes.sort(key=lambda node: node.agency_id)
    return Directory(tuple(nodes), {node.key.key_id: node.agency_id for node in nodes})
