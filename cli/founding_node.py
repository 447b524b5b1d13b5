"""The home of a founding agency's node: genesis, its service keys, settings, a guard.

For the first start of a new network only: the guard says that the consensus key has never signed.
So a key that has a home already, as far as can be seen from here, gets no second one.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.development import AgencyKeys, Listen, write_node
from cli.development_agencies import AgencyPlan
from cli.errors import (
    ConsensusKeyUsedError,
    FileTakenError,
    NotFoundError,
    ServiceKeysMissingError,
)
from cli.key import all_keys
from cli.network_file import GENESIS_FILE, load_network
from keys.errors import CivregError
from keys.keyring import read_public_key
from keys.signing import PublicKey, Purpose, SoftwareKey
from ledger.genesis import Agency, FoundingPart, Genesis, parse_genesis
from ledger.ids import print_id
from node.signer import check_guard
from node.storage import GUARD_FILE

DATA_FOLDER: Final = "data"
NAME_CHARS_MAX: Final = 64
"""Of the name by which logs call a node."""


@dataclass(frozen=True, slots=True)
class Founder:
    """A founding agency and where its private keys are.

    Attributes:
        agency: What the others agreed on.
        part: What it says of itself.
        files: Key files of its node by purpose.
    """

    agency: Agency
    part: FoundingPart
    files: Mapping[Purpose, Path]


def read_home_genesis(home: Path) -> Genesis:
    """Read the genesis document of a home folder.

    Raises:
        NotFoundError: There is none.
        InvalidDataError: It does not hold.
    """
    path = home / GENESIS_FILE
    if not path.is_file():
        reason = "this home folder has no genesis.civreg; merge the parts, or name one with --home"
        raise NotFoundError(reason, name=str(path))
    return parse_genesis(path.read_bytes())


def find_founder(genesis: Genesis, named: str, home: Path) -> Founder:
    """Find an agency of genesis and the private keys of its node in a home folder.

    Args:
        genesis: Of the network.
        named: The agency's name or id.
        home: Whose key files are looked through.

    Raises:
        NotFoundError: No founding agency is called so.
        ServiceKeysMissingError: Private keys are not there; names all of them.
    """
    agency, part = _agency_of(genesis, named)
    at_hand = {key.public: key.path for key in all_keys(home)}
    missing = sorted([name for name, public in part.keys.items() if public not in at_hand])
    if missing:
        names = ", ".join(missing)
        raise ServiceKeysMissingError(
            f"no key file of {home} holds these keys of {agency.name}: {names}",
            agency=agency.name,
            names=names,
        )
    files = {Purpose(name): at_hand[public] for name, public in part.keys.items()}
    return Founder(agency, part, files)


def check_first_home(founder: Founder, home: Path, folder: Path) -> None:
    """Refuse a folder with something in it, and a second home for a consensus key.

    Args:
        founder: Whose node it is.
        home: Home folder of the agency; its nodes and those beside `folder` are looked at.
        folder: Where the node's home will be.

    Raises:
        FileTakenError: The folder is not empty.
        ConsensusKeyUsedError: A folder that can be seen has a guard of the key, or has it in use.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileTakenError("the folder is not empty", name=str(folder))
    consensus = founder.part.keys.get(Purpose.CONSENSUS)
    for place in _places(home, folder):
        if consensus is not None and _is_home_of(place, consensus):
            raise ConsensusKeyUsedError(
                f"the consensus key of {founder.agency.name} has a home in {place}",
                agency=founder.agency.name,
                name=str(place),
            )


def write_founding_node(
    folder: Path,
    founder: Founder,
    services: dict[Purpose, SoftwareKey],
    listen: Listen,
    genesis: Genesis,
    passphrase: bytes | None,
) -> None:
    """Write the home of a node that has never run.

    Args:
        folder: New or empty, see `check_first_home`.
        founder: Whose node it is.
        services: Its private keys.
        listen: Where it listens.
        genesis: Of the network.
        passphrase: Of the key files in the new home; None leaves them unencrypted.
    """
    printable = "".join([char for char in founder.agency.name if char.isprintable()])
    name = printable[:NAME_CHARS_MAX] or "node"
    keys = AgencyKeys(
        plan=AgencyPlan(name, founder.agency.name, (), ""),
        agency_id=founder.agency.agency_id,
        office_id=founder.part.office.office_id,
        services=services,
        governance=(),
        officers=(),
    )
    write_node(folder, keys, listen, genesis.raw, passphrase)


def _agency_of(genesis: Genesis, named: str) -> tuple[Agency, FoundingPart]:
    for agency, part in zip(genesis.template.agencies, genesis.parts, strict=True):
        if named in {agency.name, print_id(agency.agency_id), agency.agency_id.hex()}:
            return agency, part
    known = ", ".join([agency.name for agency in genesis.template.agencies])
    raise NotFoundError(f"no founding agency is called {named!r}; there are {known}", name=named)


def _places(home: Path, folder: Path) -> Iterator[Path]:
    """Yield folders that could be homes of nodes: of this home, beside the new one, as listed."""
    yield home
    for around in (home.resolve(), folder.resolve().parent):
        with contextlib.suppress(OSError):
            yield from sorted([one for one in around.iterdir() if one.is_dir()])
    with contextlib.suppress(CivregError):
        for listed in load_network(home).nodes:
            if listed.home is not None:
                yield listed.home


def _is_home_of(place: Path, consensus: PublicKey) -> bool:
    """Tell whether a folder has a guard of a key, or the key beside a node's data."""
    data = place / DATA_FOLDER
    try:
        if (data / GUARD_FILE).exists():
            check_guard(data / GUARD_FILE, [consensus.key_id])
            return True
    except (CivregError, OSError):
        pass  # Of another key, or damaged: then the key file tells.
    try:
        return data.is_dir() and read_public_key(place / "keys" / "consensus.pem") == consensus
    except (CivregError, OSError):
        return False
