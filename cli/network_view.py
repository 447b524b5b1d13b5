"""A network as one person's program sees it: types, tables, state, addresses, keys at hand."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cli.client import MSGPACK, Answer, Call, Client
from cli.errors import (
    InvalidInputError,
    KeyNeededError,
    NoNetworkError,
    NotFoundError,
    RemoteRefusalError,
)
from cli.key_ring import AskPassphrase, KeyRing, nobody_to_ask
from cli.network_file import GENESIS_FILE, NetworkFile, load_network
from cli.remote_state import RemoteState
from keys.signing import KeyId, Purpose
from keys.signing import Signer as KeyHolder
from ledger.errors import InvalidDataError
from ledger.genesis import Genesis, parse_genesis
from ledger.ids import AgencyId, RecordId
from registry.civil_calendar import civil_date
from registry.code_names import FindTable, find_in
from registry.errors import RecordUnknownError, UnknownKindError
from registry.form_kinds import FormKind, find_form
from registry.preparing import Target
from registry.record_checks import companion_id
from registry.rows import RecordRow
from registry.schema import RecordType
from registry.schema_reader import read_record_type
from registry.state import State
from registry.state_key_names import record_key

PATIENCE_S: Final = 3.0
"""How long to wait for a node when none answers."""
FORBIDDEN: Final = "node.forbidden"
"""The code with which a node refuses what is another's."""


class NetworkView:
    """A network as one person's program sees it, with the keys at hand; a context manager.

    Args:
        network: Where nodes are and what offices are called.
        genesis: The network's beginning, with record types and code tables.
        ring: Private keys.
        clock_ms: Milliseconds since 1970.
    """

    def __init__(
        self,
        network: NetworkFile,
        genesis: Genesis,
        ring: KeyRing,
        clock_ms: Callable[[], int] | None = None,
    ) -> None:
        if genesis.network_id != network.network_id:
            raise InvalidInputError("network.toml and genesis differ", name=GENESIS_FILE)
        self.network, self.genesis, self.ring = network, genesis, ring
        self._clock_ms = clock_ms or _now_ms
        self.client = Client(genesis.network_id)
        self.remote = RemoteState(self._ask_state)
        self._asker: KeyId | None = None
        self._forms: dict[str, FormKind] = {}
        self._types: dict[str, RecordType] = {}
        self.find_table: FindTable = find_in(
            {
                name.removeprefix("table/"): content.decode()
                for name, content in genesis.attachments.items()
                if name.startswith("table/")
            }
        )

    @classmethod
    def open(
        cls, home: Path, *, ask: AskPassphrase = nobody_to_ask, ring: KeyRing | None = None
    ) -> Self:
        """Open the network of a home folder with all key files in it.

        Args:
            home: A folder with network.toml, genesis.civreg and key files.
            ask: For passphrases of key files.
            ring: Private keys instead of those of the folder.

        Raises:
            NotFoundError: The folder belongs to no network.
            InvalidInputError: One of its files is damaged.
        """
        network = load_network(home)
        try:
            genesis = parse_genesis((home / GENESIS_FILE).read_bytes())
        except FileNotFoundError as error:
            raise NotFoundError("the home folder has no genesis", name=GENESIS_FILE) from error
        except InvalidDataError as error:
            raise InvalidInputError(f"genesis: {error}", name=GENESIS_FILE) from error
        if ring is None:
            ring = KeyRing(ask)
            ring.add_folder(home)
        return cls(network, genesis, ring)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.client.close()

    # --- what the network is ----------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self._clock_ms()

    @property
    def today(self) -> str:
        """The civil date of now."""
        return civil_date(self.now_ms)

    @property
    def state(self) -> State:
        """The state as a node tells it; `refresh` to see what changed since it was read."""
        return self.remote.state

    def refresh(self) -> None:
        """Forget what was read of the state."""
        self.remote.refresh()

    def find_type(self, name: str) -> RecordType:
        """Return a record type.

        Raises:
            UnknownKindError: The network has none of this name.
        """
        found = self._types.get(name)
        if found is None:
            text = self.genesis.attachments.get(f"type/{name}")
            if text is None:
                raise UnknownKindError(f"there is no record type {name!r}", type=name)
            found = self._types[name] = read_record_type(text)
        return found

    def find_form(self, kind: str) -> FormKind:
        """Return what an operation takes and writes.

        Raises:
            UnknownKindError: No such type or operation.
        """
        found = self._forms.get(kind)
        if found is None:
            found = self._forms[kind] = find_form(kind, self.find_type)
        return found

    def target(self, record_id: RecordId, *, companion: bool = False) -> Target:
        """Return a record as the state has it now.

        Args:
            record_id: The record; of a companion the one beside which it stands.
            companion: Whether the operation writes the companion.

        Raises:
            RecordUnknownError: There is no such record, or not for the asker.
        """
        row = self.state.read(record_key(record_id), RecordRow)
        if row is None:
            raise RecordUnknownError("there is no such record")
        return Target(record_id, row, self._companion(record_id) if companion else None)

    def _companion(self, record_id: RecordId) -> RecordRow | None:
        """Return the companion of a record; None before its first version.

        A node tells nobody but members that a record does not exist, so to its owner a companion
        that was never written is forbidden.
        """
        try:
            return self.state.read(record_key(companion_id(record_id)), RecordRow)
        except RemoteRefusalError as error:
            if error.remote_code != FORBIDDEN:
                raise
            return None

    def use_asker(self, key_id: KeyId | None) -> None:
        """Sign requests with this auth key from now on; None: with any officer's at hand."""
        self._asker = key_id

    # --- asking nodes -----------------------------------------------------------------------------

    @property
    def addresses(self) -> list[str]:
        """Base addresses of all nodes that are known.

        Raises:
            NoNetworkError: network.toml names none, or none of them runs on this machine.
        """
        found = [node.address for node in self.network.nodes if node.address]
        if not found:
            raise NoNetworkError("no node of the network runs", address="network.toml")
        return found

    def _ask_state(self, body: bytes) -> bytes:
        return self.ask_any(
            Call(
                address="",
                path="/v1/state",
                method="POST",
                body=body,
                accept=MSGPACK,
                signer=self.auth_key(),
            )
        ).body

    def ask_any(self, call: Call) -> Answer:
        """Send a request to the first node that answers; its own address does not count.

        Raises:
            RemoteRefusalError: That node refuses.
            NoNetworkError: None answers, not even after some seconds.
        """
        for address in self.addresses:
            try:
                return self.client.send(replace(call, address=address, tries_s=0.0))
            except NoNetworkError:
                continue
        return self.client.send(replace(call, address=self.addresses[0], tries_s=PATIENCE_S))

    def _joined_officer(self, agency_id: AgencyId | None) -> KeyId | None:
        """Return the auth key at hand of an officer of an agency that joined after genesis."""
        agencies = {node.agency: node.agency_id for node in self.network.nodes}
        for officer in self.network.officers:
            if not officer.auth.exists():
                continue
            place = self.network.office(officer.office)
            if agency_id in {None, agencies.get(place.agency)}:
                return self.ring.add_file(officer.auth).key_id
        return None

    def auth_key(self, asker: KeyId | None = None, agency_id: AgencyId | None = None) -> KeyHolder:
        """Return the key that signs requests: the one asked for, else a founding officer's.

        In a citizen's home, with one `NAME-auth` and no officer's key, it is that one.

        Args:
            asker: A key that must be at hand; None takes that of `use_asker`, else any that fits.
            agency_id: Of which agency an officer's key must be; None: of any.

        Raises:
            KeyNeededError: It is not at hand.
        """
        wanted = asker or self._asker
        if wanted is not None:
            return self.ring.need(wanted, Purpose.AUTH)
        for part in self.genesis.parts:
            if agency_id in {None, part.agency_id}:
                for officer in part.officers:
                    if officer.auth_key.key_id in self.ring:
                        return self.ring.need(officer.auth_key.key_id, Purpose.AUTH)
        joined = self._joined_officer(agency_id)
        if joined is not None:
            return self.ring.need(joined, Purpose.AUTH)
        own = self.ring.only_file(f"-{Purpose.AUTH}")
        if own is not None:
            return self.ring.need(own, Purpose.AUTH)
        raise KeyNeededError("no auth key is at hand to sign the request", purpose=Purpose.AUTH)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
