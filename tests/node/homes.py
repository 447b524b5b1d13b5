"""Homes of a small network on loopback: genesis, config, keys and guard of each node on disk."""

import socket
from dataclasses import dataclass, replace
from pathlib import Path

from consensus.parameters import LAN, Parameters
from keys.keyring import create_key_file
from keys.signing import Algorithm, SoftwareKey
from ledger import genesis
from ledger.ids import AgencyId, OfficeId, RecordId
from node.config import Address, Config, render_config
from node.signer import create_guard
from registry import catalogue
from tests.networks import seed

GENESIS_MS = 1_767_225_600_000
FAST = replace(LAN, idle_ms=50, rebroadcast_ms=200)
PURPOSES = ("consensus", "peer", "custodian", "tag", "seal", "checkpoint")
ALGORITHMS = {"seal": Algorithm.MLKEM768_X25519, "checkpoint": Algorithm.ED25519}


@dataclass(frozen=True)
class Homes:
    """A network whose nodes can be started."""

    folders: list[Path]
    document: genesis.Genesis
    keys: dict[tuple[str, str], SoftwareKey]

    def key(self, name: str, purpose: str) -> SoftwareKey:
        return self.keys[name, purpose]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def agency_id(name: str) -> AgencyId:
    return AgencyId(seed("agency", name)[:16])


def agency_key(name: str, purpose: str) -> SoftwareKey:
    algorithm = ALGORITHMS.get(purpose, Algorithm.P256)
    return SoftwareKey.from_private_bytes(algorithm, seed("agency key", name, purpose))


def p256(*names: object) -> SoftwareKey:
    return SoftwareKey.from_private_bytes(Algorithm.P256, seed("p256", *names))


def make_homes(folder: Path, count: int = 4, parameters: Parameters = FAST) -> Homes:
    """Write `count` homes below a folder; the agencies are a, b, c, ..."""
    names = [chr(ord("a") + number) for number in range(count)]
    names.sort(key=agency_id)
    keys = {(name, purpose): agency_key(name, purpose) for name in names for purpose in PURPOSES}
    ports = {name: free_port() for name in names}
    attachments = dict(catalogue.genesis_attachments())
    template_raw = genesis.compose_template(template(names, parameters), attachments)
    parts = []
    for name in names:
        raw = genesis.print_part(founding_part(name, keys, ports[name]))
        signers = [p256(name, "govern", number) for number in range(2)]
        parts.append((raw, [genesis.sign_part(template_raw, raw, one) for one in signers]))
    document = genesis.merge_genesis(template_raw, parts, attachments)
    folders = [make_home(folder, name, keys, ports[name], document) for name in names]
    return Homes(folders, document, keys)


def make_home(folder: Path, name, keys, port, document) -> Path:
    home: Path = folder / name
    (home / "keys").mkdir(parents=True)
    (home / "data").mkdir()
    for purpose in PURPOSES:
        path = home / "keys" / f"{purpose}.pem"
        create_key_file(path, keys[name, purpose], None, unencrypted=True)
    create_guard(home / "data" / "guard", keys[name, "consensus"].public.key_id)
    (home / "genesis.civreg").write_bytes(document.raw)
    loopback = Address("127.0.0.1", 0)
    config = Config(
        home=home,
        agency=agency_id(name),
        name=name,
        peer=Address("127.0.0.1", port),
        public=loopback,
        private=loopback,
        unencrypted=True,
    )
    (home / "config.toml").write_text(render_config(config))
    return home


def template(names, parameters) -> genesis.Template:
    agencies = [
        genesis.Agency(
            agency_id(name),
            f"Agency {name}",
            "civil-status",
            1,
            (genesis.Mandate(("*",), ("*",), ("*",), "2026-01-01", None, "Law 60/2014"),),
        )
        for name in names
    ]
    ids = sorted(agency.agency_id for agency in agencies)
    namespaces = (genesis.Namespace("person.number", ids[0], ids[-1]),) if len(ids) > 1 else ()
    return genesis.Template(
        name="test network",
        time_ms=GENESIS_MS,
        parameters={"consensus": parameters.to_value(), "development": True},
        agencies=tuple(agencies),
        namespaces=namespaces,
        attachments=(),
    )


def founding_part(name, keys, port) -> genesis.FoundingPart:
    officers = [
        genesis.FoundingOfficer(
            RecordId(seed("officer", name, number)[:16]),
            (genesis.Role("register", ("*",), "2026-01-01", None),),
            p256(name, number, "sign").public,
            p256(name, number, "auth").public,
        )
        for number in range(2)
    ]
    return genesis.FoundingPart(
        agency_id=agency_id(name),
        governance_k=2,
        governance_keys=tuple(p256(name, "govern", number).public for number in range(3)),
        keys={purpose: keys[name, purpose].public for purpose in PURPOSES},
        peer_address=f"127.0.0.1:{port}",
        office=genesis.Office(
            OfficeId(seed("office", name)[:16]), f"Office of {name}", "00001", "2025-07-01", "ward"
        ),
        officers=tuple(officers),
    )
