"""A home folder for one person of a network: what everybody knows, and that person's keys alone."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from cli.errors import FileTakenError, NotFoundError
from cli.network_file import (
    GENESIS_FILE,
    NETWORK_FILE,
    TRUST_FILE,
    NetworkFile,
    OfficerPlace,
    render_network,
)
from keys.private_files import write_private

FOLDER_MODE: Final = 0o700
USES: Final = ("sign", "auth", "seal")


def make_home(network: NetworkFile, folder: Path, officers: Sequence[str]) -> NetworkFile:
    """Make a home folder with genesis, trust bundle, addresses, and the keys of some officers.

    Args:
        network: Of the folder from which it is made.
        folder: The new one.
        officers: Whose key files are copied; none for a citizen, who makes keys there.

    Returns:
        What its `network.toml` says: nodes by address, officers by name without others' key files.

    Raises:
        FileTakenError: The folder exists and is not empty.
        NotFoundError: There is no such officer, or the key files are not here.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileTakenError("the folder is not empty", name=str(folder))
    for name in officers:
        if network.officer(name) is None:
            raise NotFoundError(f"there is no officer {name!r}", name=name)
    nodes = tuple(replace(node, home=None, public=node.address) for node in network.nodes)
    places = tuple(_moved(officer, folder) for officer in network.officers)
    made = replace(network, folder=folder, nodes=nodes, officers=places, governance=())
    (folder / "officers").mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    for name in (GENESIS_FILE, TRUST_FILE):
        shutil.copy2(network.folder / name, folder / name)
    for officer in network.officers:
        if officer.name in officers:
            for use in USES:
                _copy_key(officer.sign.with_name(f"{officer.name}-{use}.pem"), folder)
    (folder / NETWORK_FILE).write_text(render_network(made), encoding="utf-8")
    return made


def _moved(officer: OfficerPlace, folder: Path) -> OfficerPlace:
    keys = folder / "officers"
    return replace(officer, sign=keys / officer.sign.name, auth=keys / officer.auth.name)


def _copy_key(path: Path, folder: Path) -> None:
    if not path.exists():
        raise NotFoundError(f"the key file {path.name} is not here", name=str(path))
    write_private(folder / "officers" / path.name, path.read_bytes())
