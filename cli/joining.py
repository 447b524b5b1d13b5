"""The home folder of an agency that wants to join a running network, and its signed application.

    DIR/genesis.civreg trust.civreg network.toml     a home folder for its commands
    DIR/officers/*.pem governance/*.pem              keys of its officers and governors
    DIR/node                                         home of its node
    DIR/NAME.application                             for the members, who vote on it

The keys are drawn here and stay here; the application holds public keys only.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from cli.development import (
    FOLDER_MODE,
    GOVERNANCE_NEEDED,
    AgencyKeys,
    Listen,
    agency_part,
    make_agency_keys,
    people_of,
    write_node,
    write_people,
)
from cli.development_agencies import AgencyPlan
from cli.errors import FileTakenError
from cli.network_file import (
    GENESIS_FILE,
    NETWORK_FILE,
    TRUST_FILE,
    NetworkFile,
    NodePlace,
    OfficePlace,
    render_network,
)
from keys.private_files import write_private
from ledger.genesis import Genesis, print_part
from ledger.membership import print_application, sign_application
from registry.civil_calendar import civil_date

NODE_FOLDER = "node"
ROLES = (("declare", "register"), ("declare", "approve"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """Who wants to join.

    Attributes:
        name: Short name that commands use.
        title: For people.
        unit: Code of the administrative unit of its root office, and a date on which it is one.
        address: Where other nodes reach its node, host:port.
        listen: Where its node listens.
        now_ms: What time it is.
        passphrase: Of all key files; None leaves them unencrypted.
    """

    name: str
    title: str
    unit: tuple[str, str]
    address: str
    listen: Listen
    now_ms: int
    passphrase: bytes | None


def prepare_applicant(
    network: NetworkFile, genesis: Genesis, folder: Path, applicant: Applicant
) -> tuple[AgencyKeys, Path]:
    """Write the folder and the application; return the agency's keys and the application's path.

    Args:
        network: What is known of the network's nodes.
        genesis: Of the network.
        folder: New or empty.
        applicant: Who it is.

    Raises:
        FileTakenError: The folder is not empty.
        InvalidDataError: A name or address is too long, or none.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileTakenError("the folder is not empty", name=str(folder))
    plan = AgencyPlan(applicant.name, applicant.title, (), "", ROLES)
    keys = make_agency_keys(plan)
    part = agency_part(keys, applicant.address, applicant.unit, civil_date(applicant.now_ms))
    raw = print_part(part)
    governors = keys.governance[:GOVERNANCE_NEEDED]
    signatures = [sign_application(genesis.network_id, raw, one) for one in governors]
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    own = _network_of(network, folder, keys, str(applicant.listen.public))
    write_people(own, [keys], applicant.passphrase)
    write_node(folder / NODE_FOLDER, keys, applicant.listen, genesis.raw, applicant.passphrase)
    write_private(folder / GENESIS_FILE, genesis.raw)
    trust = network.folder / TRUST_FILE
    if trust.exists():
        shutil.copy2(trust, folder / TRUST_FILE)
    known = replace(own, nodes=(*_others(network), *own.nodes))
    write_private(folder / NETWORK_FILE, render_network(known).encode())
    application = folder / f"{applicant.name}.application"
    application.write_bytes(print_application(raw, signatures))
    return keys, application


def _others(network: NetworkFile) -> tuple[NodePlace, ...]:
    """Return the nodes of the network by the addresses that are known now."""
    return tuple([replace(node, home=None, public=node.address) for node in network.nodes])


def _network_of(network: NetworkFile, folder: Path, keys: AgencyKeys, public: str) -> NetworkFile:
    """Return what the agency adds to a network file: its node, office, officers, governors."""
    name = keys.plan.name
    officers, governance = people_of(folder, keys)
    return NetworkFile(
        folder=folder,
        name=network.name,
        network_id=network.network_id,
        nodes=(NodePlace(name, keys.agency_id, f"http://{public}", folder / NODE_FOLDER),),
        offices=(OfficePlace(name, name, keys.office_id),),
        officers=officers,
        governance=(governance,),
    )
