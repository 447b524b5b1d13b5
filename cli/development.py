"""A development network: agencies, officers and their keys, all made at once in one folder.

    DIR/genesis.civreg trust.civreg network.toml     DIR is a home folder for every command
    DIR/officers/*.pem governance/*.pem              keys of officers and of agencies
    DIR/node-0 ... node-(n-1)                        homes of the nodes

Every wait is 0, clocks are expected within 100 ms, and whoever has the folder is everybody. A real
network comes out of the ceremony (`cli.ceremony`), in which each agency makes its keys alone.
"""

import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.development_agencies import AGENCIES, AgencyPlan
from cli.network_file import (
    GENESIS_FILE,
    NETWORK_FILE,
    TRUST_FILE,
    GovernancePlace,
    NetworkFile,
    NodePlace,
    OfficePlace,
    OfficerPlace,
    render_network,
)
from consensus.parameters import LAN
from keys.keyring import create_key_file
from keys.private_files import write_private
from keys.signing import Algorithm, Purpose, SoftwareKey
from ledger.canonical import Value
from ledger.genesis import (
    Agency,
    FoundingOfficer,
    FoundingPart,
    Genesis,
    Mandate,
    Namespace,
    Office,
    Role,
    Template,
    compose_template,
    merge_genesis,
    print_part,
    sign_part,
)
from ledger.ids import ID_BYTES, AgencyId, OfficeId, RecordId
from ledger.trust import trust_genesis
from node.config import CONFIG_FILE, Address, Config, render_config
from node.signer import create_guard
from node.storage import GUARD_FILE
from node.tag_secret import SECRET_FILE
from registry.catalogue import genesis_attachments
from registry.civil_calendar import civil_date
from registry.tags import TAG_KEY_BYTES

GOVERNANCE_KEYS: Final = 3
GOVERNANCE_NEEDED: Final = 2
NODES_MIN: Final = 4
FOLDER_MODE: Final = 0o700
LOOPBACK: Final = "127.0.0.1"
TRUST_VALID_MS: Final = 10 * 365 * 86_400_000
"""A bundle of a network that lives on one machine need not be renewed."""
DEMONSTRATION_UNITS: Final = "demonstration_unit"
DEFAULT_UNITS: Final = "admin_unit"

PARAMETERS: Final[dict[str, Value]] = {
    "development": True,
    "consensus": LAN.to_value(),
    "founding_officer_days": 36_500,
    "governance_wait_days": 0,
    "import_wait_days": 0,
    "key_provisional_days": 0,
    "officer_number_claim": 0,
}
"""Every wait is 0: what a real network makes people wait for happens at once."""

_SERVICE_KEYS: Final = {
    Purpose.CONSENSUS: Algorithm.P256,
    Purpose.PEER: Algorithm.P256,
    Purpose.CUSTODIAN: Algorithm.P256,
    Purpose.SEAL: Algorithm.MLKEM768_X25519,
    Purpose.TAG: Algorithm.P256,
    Purpose.CHECKPOINT: Algorithm.ED25519,
}


@dataclass(frozen=True, slots=True)
class AgencyKeys:
    """All private keys and names of one agency of a development network."""

    plan: AgencyPlan
    agency_id: AgencyId
    office_id: OfficeId
    services: dict[Purpose, SoftwareKey]
    governance: tuple[SoftwareKey, ...]
    officers: tuple["OfficerKeys", ...]


@dataclass(frozen=True, slots=True)
class OfficerKeys:
    """A founding officer: the identity, and keys to sign, to ask, and to read drafts."""

    identity: RecordId
    sign: SoftwareKey
    auth: SoftwareKey
    seal: SoftwareKey


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a node listens: for peers, for the public, for its operator."""

    peer: Address
    public: Address
    private: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a development network should be like.

    Attributes:
        name: Of the network.
        nodes: How many agencies, each with a node; 4 to 10.
        unit_table: The shipped table that stands for `admin_unit`.
        time_ms: Genesis time.
        passphrase: Of all key files; None leaves them unencrypted.
        port: First of the ports, three a node; 0 takes free ones.
    """

    name: str
    nodes: int
    time_ms: int
    unit_table: str = DEFAULT_UNITS
    passphrase: bytes | None = None
    port: int = 0


def make_development(folder: Path, wish: Wish) -> tuple[NetworkFile, Genesis]:
    """Make a whole development network in a folder.

    Args:
        folder: New or empty.
        wish: What it should be like.

    Returns:
        What `network.toml` and genesis say.

    Raises:
        KeyFileExistsError: There are key files already.
        InvalidDataError: Genesis would not hold.
    """
    assert NODES_MIN <= wish.nodes <= len(AGENCIES), "the command has checked it"
    agencies = [make_agency_keys(plan) for plan in AGENCIES[: wish.nodes]]
    ports = _ports(wish)
    genesis = _make_genesis(agencies, ports, wish)
    network = _network_of(folder, wish.name, genesis, agencies, ports)
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    write_people(network, agencies, wish.passphrase)
    for number, keys in enumerate(agencies):
        peer, public, private = [Address(LOOPBACK, port) for port in ports[number]]
        listen = Listen(peer, public, private)
        write_node(folder / f"node-{number}", keys, listen, genesis.raw, wish.passphrase)
    write_private(folder / GENESIS_FILE, genesis.raw)
    bundle = trust_genesis(genesis, wish.time_ms + TRUST_VALID_MS)
    write_private(folder / TRUST_FILE, bundle.to_bytes())
    write_private(folder / NETWORK_FILE, render_network(network).encode())
    return network, genesis


def make_agency_keys(plan: AgencyPlan) -> AgencyKeys:
    """Draw all keys and ids of an agency."""
    return AgencyKeys(
        plan=plan,
        agency_id=AgencyId(secrets.token_bytes(ID_BYTES)),
        office_id=OfficeId(secrets.token_bytes(ID_BYTES)),
        services={
            purpose: SoftwareKey.generate(algorithm) for purpose, algorithm in _SERVICE_KEYS.items()
        },
        governance=tuple(SoftwareKey.generate() for _ in range(GOVERNANCE_KEYS)),
        officers=tuple(
            OfficerKeys(
                RecordId(secrets.token_bytes(ID_BYTES)),
                SoftwareKey.generate(),
                SoftwareKey.generate(),
                SoftwareKey.generate(),
            )
            for _ in plan.roles
        ),
    )


def _make_genesis(
    agencies: Sequence[AgencyKeys], ports: Sequence[Sequence[int]], wish: Wish
) -> Genesis:
    day = civil_date(wish.time_ms)
    attachments = dict(genesis_attachments(wish.unit_table))
    police, justice = agencies[1].agency_id, agencies[0].agency_id
    template = Template(
        name=wish.name,
        time_ms=wish.time_ms,
        parameters=PARAMETERS,
        agencies=tuple(
            Agency(one.agency_id, one.plan.title, one.plan.name, 1, _mandates(one.plan, day))
            for one in agencies
        ),
        namespaces=(
            Namespace("person.number", police, justice),
            Namespace("birth.name", justice, police),
            Namespace("identity.name", police, justice),
        ),
        attachments=(),
    )
    template_raw = compose_template(template, attachments)
    unit = _first_unit(attachments["table/admin_unit"])
    parts = []
    for one, places in zip(agencies, ports, strict=True):
        raw = print_part(agency_part(one, f"{LOOPBACK}:{places[0]}", unit, day))
        signers = one.governance[:GOVERNANCE_NEEDED]
        parts.append((raw, [sign_part(template_raw, raw, key) for key in signers]))
    return merge_genesis(template_raw, parts, attachments)


def _mandates(plan: AgencyPlan, day: str) -> tuple[Mandate, ...]:
    own = [Mandate(plan.types, ("*",), ("*",), day, None, plan.basis)] if plan.types else []
    others = [
        Mandate((type_name,), (operation,), ("*",), day, None, plan.basis)
        for type_name, operation in plan.approves
    ]
    return (*own, *others)


def agency_part(one: AgencyKeys, address: str, unit: tuple[str, str], day: str) -> FoundingPart:
    """Return what an agency says of itself, in genesis or in its application."""
    officers = [
        FoundingOfficer(
            keys.identity,
            tuple(Role(role, ("*",), day, None) for role in roles),
            keys.sign.public,
            keys.auth.public,
        )
        for keys, roles in zip(one.officers, one.plan.roles, strict=True)
    ]
    return FoundingPart(
        agency_id=one.agency_id,
        governance_k=GOVERNANCE_NEEDED,
        governance_keys=tuple(key.public for key in one.governance),
        keys={str(purpose): key.public for purpose, key in one.services.items()},
        peer_address=address,
        office=Office(one.office_id, one.plan.title, unit[0], unit[1], "province"),
        officers=tuple(officers),
    )


def _first_unit(table: bytes) -> tuple[str, str]:
    """Return code and first date of the first unit of a table."""
    lines = table.decode().splitlines()
    names, values = lines[0].split(","), lines[1].split(",")
    row = dict(zip(names, values, strict=True))
    return row["code"], row["valid_from"]


def _network_of(
    folder: Path,
    name: str,
    genesis: Genesis,
    agencies: Sequence[AgencyKeys],
    ports: Sequence[Sequence[int]],
) -> NetworkFile:
    nodes, offices = [], []
    officers: list[OfficerPlace] = []
    governance: list[GovernancePlace] = []
    for number, one in enumerate(agencies):
        short = one.plan.name
        public = f"http://{LOOPBACK}:{ports[number][1]}"
        nodes.append(NodePlace(short, one.agency_id, public, folder / f"node-{number}"))
        offices.append(OfficePlace(short, short, one.office_id))
        found = people_of(folder, one)
        officers += found[0]
        governance.append(found[1])
    return NetworkFile(
        folder=folder,
        name=name,
        network_id=genesis.network_id,
        nodes=tuple(nodes),
        offices=tuple(offices),
        officers=tuple(officers),
        governance=tuple(governance),
    )


def people_of(folder: Path, one: AgencyKeys) -> tuple[tuple[OfficerPlace, ...], GovernancePlace]:
    """Return where the keys of an agency's officers and governors lie in a home folder."""
    short, files = one.plan.name, folder / "officers"
    officers = tuple(
        OfficerPlace(
            f"{short}-{at}",
            short,
            keys.identity,
            files / f"{short}-{at}-sign.pem",
            files / f"{short}-{at}-auth.pem",
            keys.seal.public,
        )
        for at, keys in enumerate(one.officers, start=1)
    )
    decides = [folder / "governance" / f"{short}-{at}.pem" for at in range(1, GOVERNANCE_KEYS + 1)]
    return officers, GovernancePlace(short, GOVERNANCE_NEEDED, tuple(decides))


def write_people(
    network: NetworkFile, agencies: Sequence[AgencyKeys], passphrase: bytes | None
) -> None:
    """Write the key files of officers and governors that a network file names."""
    people = [each for one in agencies for each in one.officers]
    for place, keys in zip(network.officers, people, strict=True):
        _write_key(place.sign, keys.sign, passphrase)
        _write_key(place.auth, keys.auth, passphrase)
        _write_key(place.sign.with_name(f"{place.name}-seal.pem"), keys.seal, passphrase)
    for one, decides in zip(agencies, network.governance, strict=True):
        for path, key in zip(decides.keys, one.governance, strict=True):
            _write_key(path, key, passphrase)


def write_node(
    home: Path, keys: AgencyKeys, listen: Listen, genesis_raw: bytes, passphrase: bytes | None
) -> None:
    """Write the home of an agency's node: settings, genesis, keys, and the guard of a new key."""
    config = Config(
        home=home,
        agency=keys.agency_id,
        name=keys.plan.name,
        peer=listen.peer,
        public=listen.public,
        private=listen.private,
        passphrase_file=None if passphrase is None else home / "keys" / "passphrase",
        unencrypted=passphrase is None,
        log_level="info",
    )
    for purpose, key in keys.services.items():
        _write_key(config.keys_folder / f"{purpose}.pem", key, passphrase)
    write_private(config.keys_folder / SECRET_FILE, secrets.token_bytes(TAG_KEY_BYTES))
    if passphrase is not None:
        write_private(config.keys_folder / "passphrase", passphrase + b"\n")
    write_private(home / CONFIG_FILE, render_config(config).encode())
    write_private(config.genesis_file, genesis_raw)
    config.data_folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    consensus = keys.services.get(Purpose.CONSENSUS)
    if consensus is not None:  # An agency of weight 0 has none.
        create_guard(config.data_folder / GUARD_FILE, consensus.public.key_id)


def _write_key(path: Path, key: SoftwareKey, passphrase: bytes | None) -> None:
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    create_key_file(path, key, passphrase, unencrypted=passphrase is None)


def _ports(wish: Wish) -> list[list[int]]:
    """Return peer, public and private port of each node; free ones if none are wished for."""
    if wish.port:
        return [[wish.port + 3 * node + at for at in range(3)] for node in range(wish.nodes)]
    holders = [socket.socket() for _ in range(3 * wish.nodes)]
    try:
        for holder in holders:
            holder.bind((LOOPBACK, 0))
        found = [holder.getsockname()[1] for holder in holders]
    finally:
        for holder in holders:
            holder.close()
    return [found[at : at + 3] for at in range(0, len(found), 3)]
