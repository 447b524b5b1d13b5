"""`network.toml`: where the nodes of a network are, what its offices and officers are called.

It lies in a home folder beside `genesis.civreg` and `trust.civreg`. Nothing in it is believed:
names and addresses are for people; who may do what stands in the state. Paths are relative.

    version = 1
    name = "development"
    network_id = "64 hexadecimal digits"

    [[nodes]]                      # where the public API of an agency answers
    agency = "justice"
    home = "node-0"                # a node on this machine: its ports are read from run/ports.json
    public = "http://127.0.0.1:7480"

    [[offices]]
    name = "justice"
    agency = "justice"
    id = "…"                       # as ids are shown

    [[officers]]
    name = "justice-1"
    office = "justice"
    identity = "…"
    sign = "officers/justice-1-sign.pem"
    auth = "officers/justice-1-auth.pem"
    seal = "did:key:…"             # drafts are sealed to it, so that the officer sees them

    [[governance]]
    agency = "justice"
    needed = 2
    keys = ["governance/justice-1.pem"]
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from cli.errors import InvalidInputError, NotFoundError
from keys.did import parse_did, print_did
from keys.errors import InvalidKeyError
from keys.signing import PublicKey
from ledger.errors import InvalidDataError
from ledger.ids import ID_BYTES, AgencyId, OfficeId, RecordId, parse_id, print_id

NETWORK_FILE: Final = "network.toml"
GENESIS_FILE: Final = "genesis.civreg"
TRUST_FILE: Final = "trust.civreg"
PORTS_FILE: Final = Path("run") / "ports.json"
FILE_BYTES_MAX: Final = 1024 * 1024
_VERSION: Final = 1
_NETWORK_ID_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class NodePlace:
    """Where an agency's node is.

    Attributes:
        agency: Its name in this file.
        agency_id: Its id.
        public: Base address of the public API; empty if only `home` tells.
        home: The node's folder if it is on this machine, else None.
    """

    agency: str
    agency_id: AgencyId
    public: str
    home: Path | None

    @property
    def address(self) -> str:
        """The base address that a running node wrote down, else the one of the file."""
        port = self.ports.get("public")
        return self.public if port is None else f"http://127.0.0.1:{port}"

    @property
    def ports(self) -> dict[str, int]:
        """The ports on which a node of this machine listens; empty while none runs there."""
        if self.home is None:
            return {}
        try:
            found = json.loads((self.home / PORTS_FILE).read_text(encoding="utf-8"))
            return {str(name): int(port) for name, port in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


@dataclass(frozen=True, slots=True)
class OfficePlace:
    """An office by the name that commands use."""

    name: str
    agency: str
    office_id: OfficeId


@dataclass(frozen=True, slots=True)
class OfficerPlace:
    """An officer by the name that commands use, with key files where they are at hand."""

    name: str
    office: str
    identity: RecordId
    sign: Path
    auth: Path
    seal: PublicKey | None = None


@dataclass(frozen=True, slots=True)
class GovernancePlace:
    """Key files of an agency's governance, and how many of them decide."""

    agency: str
    needed: int
    keys: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFile:
    """What `network.toml` says; see the module."""

    folder: Path
    name: str
    network_id: bytes
    nodes: tuple[NodePlace, ...] = ()
    offices: tuple[OfficePlace, ...] = ()
    officers: tuple[OfficerPlace, ...] = ()
    governance: tuple[GovernancePlace, ...] = ()

    def node_of(self, agency: str) -> NodePlace:
        """Return an agency's node.

        Raises:
            NotFoundError: There is none of this name.
        """
        return _named(self.nodes, agency, "agency", [node.agency for node in self.nodes])

    def office(self, name: str) -> OfficePlace:
        """Return an office by name or by id.

        Raises:
            NotFoundError: There is none.
        """
        for office in self.offices:
            if name in {office.name, print_id(office.office_id), office.office_id.hex()}:
                return office
        known = ", ".join(office.name for office in self.offices)
        raise NotFoundError(f"there is no office {name!r}; known: {known}", name=name)

    def officer(self, name: str) -> OfficerPlace | None:
        """Return an officer by name, or None."""
        return next((officer for officer in self.officers if officer.name == name), None)

    def officers_of(self, office: str) -> tuple[OfficerPlace, ...]:
        """Return the officers of an office, in the order of the file."""
        return tuple(officer for officer in self.officers if officer.office == office)


def _named(places: Sequence[NodePlace], name: str, what: str, known: Sequence[str]) -> NodePlace:
    for place in places:
        if place.agency == name:
            return place
    raise NotFoundError(f"there is no {what} {name!r}; known: {', '.join(known)}", name=name)


def load_network(folder: Path) -> NetworkFile:
    """Read `network.toml` of a home folder.

    Raises:
        NotFoundError: The folder has none.
        InvalidInputError: It is no TOML, or lacks something; details: name.
    """
    path = folder / NETWORK_FILE
    try:
        raw = path.read_bytes()
    except OSError as error:
        message = (
            "this home folder belongs to no network: it has no network.toml; name one with --home"
        )
        raise NotFoundError(message, name=str(path)) from error
    try:
        if len(raw) > FILE_BYTES_MAX:
            raise InvalidInputError(f"over {FILE_BYTES_MAX} bytes", name=str(path))
        return _read(tomllib.loads(raw.decode()), folder)
    except (InvalidDataError, InvalidKeyError) as error:
        reason = f"{NETWORK_FILE} names an id or key that is none: {error}"
        raise InvalidInputError(reason, name=str(path)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{NETWORK_FILE} cannot be read: {type(error).__name__} {error}"
        raise InvalidInputError(reason, name=str(path)) from error


def _read(table: Mapping[str, object], folder: Path) -> NetworkFile:
    if table["version"] != _VERSION:
        raise ValueError("another version")
    network_id = bytes.fromhex(_text(table, "network_id"))
    if len(network_id) != _NETWORK_ID_BYTES:
        raise ValueError("network_id has another length")
    return NetworkFile(
        folder=folder,
        name=_text(table, "name"),
        network_id=network_id,
        nodes=tuple(
            NodePlace(
                _text(row, "agency"),
                AgencyId(parse_id(_text(row, "agency_id"))),
                _text(row, "public", "").rstrip("/"),
                folder / _text(row, "home") if "home" in row else None,
            )
            for row in _rows(table, "nodes")
        ),
        offices=tuple(
            OfficePlace(
                _text(row, "name"), _text(row, "agency"), OfficeId(parse_id(_text(row, "id")))
            )
            for row in _rows(table, "offices")
        ),
        officers=tuple(
            OfficerPlace(
                _text(row, "name"),
                _text(row, "office"),
                RecordId(parse_id(_text(row, "identity"))),
                folder / _text(row, "sign"),
                folder / _text(row, "auth"),
                parse_did(_text(row, "seal")) if "seal" in row else None,
            )
            for row in _rows(table, "officers")
        ),
        governance=tuple(
            GovernancePlace(
                _text(row, "agency"),
                _whole(row, "needed"),
                tuple(folder / name for name in cast("list[str]", row["keys"])),
            )
            for row in _rows(table, "governance")
        ),
    )


def _rows(table: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    rows = table.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TypeError(f"{name} is no list of tables")
    return rows


def _text(table: Mapping[str, object], name: str, default: str | None = None) -> str:
    value = table.get(name, default)
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def _whole(table: Mapping[str, object], name: str) -> int:
    value = table[name]
    if type(value) is not int:
        raise TypeError(f"{name} is no whole number")
    return value


def render_network(network: NetworkFile) -> str:
    """Return the text that `load_network` reads back."""
    lines = [
        "# Where the nodes of this network are, and what its offices and officers are called.",
        f"version = {_VERSION}",
        f"name = {_quoted(network.name)}",
        f'network_id = "{network.network_id.hex()}"',
    ]
    for node in network.nodes:
        lines += ["", "[[nodes]]", f"agency = {_quoted(node.agency)}"]
        lines.append(f'agency_id = "{print_id(node.agency_id)}"')
        if node.home is not None:
            lines.append(f"home = {_quoted(_relative(node.home, network.folder))}")
        if node.public:
            lines.append(f"public = {_quoted(node.public)}")
    for office in network.offices:
        lines += ["", "[[offices]]", f"name = {_quoted(office.name)}"]
        lines += [f"agency = {_quoted(office.agency)}", f'id = "{print_id(office.office_id)}"']
    for officer in network.officers:
        lines += ["", "[[officers]]", f"name = {_quoted(officer.name)}"]
        lines += [f"office = {_quoted(officer.office)}"]
        lines += [f'identity = "{print_id(officer.identity)}"']
        lines += [f"sign = {_quoted(_relative(officer.sign, network.folder))}"]
        lines += [f"auth = {_quoted(_relative(officer.auth, network.folder))}"]
        lines += [] if officer.seal is None else [f'seal = "{print_did(officer.seal)}"']
    for one in network.governance:
        names = ", ".join(_quoted(_relative(key, network.folder)) for key in one.keys)
        lines += ["", "[[governance]]", f"agency = {_quoted(one.agency)}"]
        lines += [f"needed = {one.needed}", f"keys = [{names}]"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


assert ID_BYTES * 2 == _NETWORK_ID_BYTES, "a network id has twice the length of an id"
