"""Follows who the other nodes are while the chain goes on: joins, leaves, moves, changes of keys.

After each block that could have changed it, the directory is read from the state again. Sending
begins or ends, connections to a node whose key or address changed are made anew, new keys are
pinned, and a key that is none any more is turned away at the door. Where the state knows this node
by its next peer key, that one is shown from then on.
"""

import asyncio
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from keys.hashing import Digest
from keys.signing import KeyId, Purpose, SoftwareKey
from ledger.ids import AgencyId
from node.application import Application, Committed
from node.config import Config
from node.directory import Directory, make_directory, state_members
from node.logs import Log
from node.peers import PeerNode, Peers
from node.tls import PeerTls
from registry.civil_calendar import civil_date

CHANGING: Final = frozenset({"agency", "ballot"})
"""Types of acts after which other nodes may be known otherwise."""

FAREWELL_S: Final = 2.0
"""For so long messages still reach a node whose key has changed, over connections made before: the
votes with which it can store the block that says so. It shows the new key from then on."""


class Connections(Protocol):
    """What holds connections to peers."""

    async def forget(self, agencies: Iterable[AgencyId]) -> None:
        """Close them: keys have changed."""


@dataclass(frozen=True, slots=True)
class PeerKeys:
    """This node's own keys for TLS.

    Attributes:
        present: From keys/peer.pem.
        following: From keys/peer.next.pem, or None.
    """

    present: SoftwareKey
    following: SoftwareKey | None

    def held(self, key_id: KeyId | None) -> SoftwareKey | None:
        """Return the one with an id, or None."""
        both = (self.present, self.following)
        return next((key for key in both if key and key.public.key_id == key_id), None)


def peer_keys(
    keys: Mapping[Purpose, SoftwareKey], next_keys: Mapping[Purpose, SoftwareKey]
) -> PeerKeys:
    """Return this node's own keys for TLS from those of its home."""
    return PeerKeys(keys[Purpose.PEER], next_keys.get(Purpose.PEER))


class Neighbours:
    """The other nodes, up to date.

    Args:
        application: The chain.
        config: Whose node this is, and which addresses it knows better.
        keys: This node's own.
        log: Takes notes.

    Attributes:
        directory: The nodes as the state has them now.
        tls: This node's side of TLS, with the key that the state knows.
    """

    def __init__(self, application: Application, config: Config, keys: PeerKeys, log: Log) -> None:
        self._application = application
        self._config = config
        self._keys = keys
        self._log = log
        self.directory = self._read()
        held = keys.held(self.directory.own_key)
        if held is None and self.directory.own_key is not None:
            log.error("peer_key_missing", key=self.directory.own_key)
        self.tls = PeerTls(held or keys.present)
        self._seen = self._sign()
        self._peers: Peers | None = None
        self._connections: Connections | None = None
        self._context: ssl.SSLContext | None = None
        self._closing: set[asyncio.Future[None]] = set()
        self._refusing: set[AgencyId] = set()
        self._is_trying = False

    def attach(self, peers: Peers, connections: Connections) -> None:
        """Name who sends, once, and follow the chain from now on."""
        self._peers, self._connections = peers, connections
        self._application.on_committed.append(self._committed)

    def server_context(self) -> ssl.SSLContext:
        """Return what the listener for peers uses; later keys are pinned in it."""
        self._context = self.tls.server_context(self.directory.pins)
        return self._context

    def peer_of(self, key_id: bytes) -> AgencyId | None:
        """Return whose peer key this is now, or None."""
        return self.directory.peer_of(key_id)

    def _read(self) -> Directory:
        members = state_members(self._application)
        directory, problems = make_directory(members, self._config.agency, self._config.peers)
        for problem in problems:
            self._log.warning("peer_unusable", detail=problem)
        return directory

    def _sign(self) -> tuple[str, Digest, Digest]:
        """Return what, when it changes, makes members come and go without an act."""
        application = self._application
        height = application.tip_height
        return (
            civil_date(application.tip_time_ms),
            application.validators_at(height + 1).digest,
            application.validators_at(height + 2).digest,
        )

    def _committed(self, committed: Committed) -> None:
        changes = any(entry.head.type_name in CHANGING for entry in committed.block.entries)
        sign = self._sign()
        if changes or sign != self._seen:
            self._seen = sign
            self.refresh()

    def refresh(self) -> None:
        """Read the state again, and do what follows from it."""
        before, self.directory = self.directory, self._read()
        old = {node.agency_id: node for node in before.nodes}
        new = {node.agency_id: node for node in self.directory.nodes}
        changed = [one for one in old.keys() | new.keys() if old.get(one) != new.get(one)]
        for agency in sorted(changed):
            self._say(agency, old.get(agency), new.get(agency))
        if self._peers is not None and changed:
            self._peers.update(self.directory.nodes)
        fresh = [node.key for node in self.directory.nodes if node.key not in before.pins]
        if self._context is not None and fresh:
            self.tls.pin(self._context, fresh)
        if self._renew():
            self._forget(list(old.keys() | new.keys()), 0)
        elif changed:
            self._forget(changed, FAREWELL_S)

    def _say(self, agency: AgencyId, before: PeerNode | None, after: PeerNode | None) -> None:
        if after is None:
            self._log.info("peer_left", peer=agency)
        elif before is None:
            self._log.info("peer_joined", peer=agency, address=str(after.address))
        else:
            self._log.info("peer_moved", peer=agency, address=str(after.address))

    def _renew(self) -> bool:
        """Show the key that the state has of this node, if it is another now and is here."""
        own_key = self.directory.own_key
        if own_key is None:
            return False
        if own_key == self.tls.public.key_id:
            if self._is_trying:  # it was shown before this chain had heard of it
                self._is_trying = False
                self._log.info("peer_key_changed", key=own_key)
            return False
        key = self._keys.held(own_key)
        if key is None:
            self._log.error("peer_key_missing", key=own_key)
            return False
        self._is_trying = False
        self._log.info("peer_key_changed", key=own_key)
        self._show(key)
        return True

    def _show(self, key: SoftwareKey) -> None:
        self.tls.use(key)
        if self._context is not None:
            self.tls.renew(self._context)

    def heard(self, agency: AgencyId, is_let_in: bool) -> None:  # noqa: FBT001 - a callback
        """Show the other own key when most peers turn this one away.

        Who was down, or a block behind, when the own key changed cannot learn it from a chain that
        nobody gives to the old key.
        """
        if is_let_in:
            self._refusing.clear()
            return
        self._refusing.add(agency)
        both = (self._keys.present, self._keys.following)
        other = next((one for one in both if one and one.public != self.tls.public), None)
        if other is not None and 2 * len(self._refusing) > len(self.directory.nodes):
            self._refusing.clear()
            self._log.warning("peer_key_tried", key=other.public.key_id)
            self._is_trying = other.public.key_id != self.directory.own_key
            self._show(other)
            self._forget([node.agency_id for node in self.directory.nodes], 0)

    def _forget(self, agencies: Sequence[AgencyId], after_s: float) -> None:
        """Close connections, later those of others: they need the votes that tell them why."""
        if self._connections is not None:
            closing = asyncio.ensure_future(_close(self._connections, agencies, after_s))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


async def _close(connections: Connections, agencies: Sequence[AgencyId], after_s: float) -> None:
    await asyncio.sleep(after_s)
    await connections.forget(agencies)
