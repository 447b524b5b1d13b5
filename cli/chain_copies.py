"""Copies of a chain that an auditor may bring: an export, or the folder of a stopped node.

Both give genesis, a trust bundle if there is one, and the blocks in order as bytes; nothing is
verified here. A store is opened for reading; no block, state row or body is ever written to it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from cli.errors import InvalidInputError
from ledger import export
from ledger.export import BLOCKS_FILE, TRUST_FILE, ExportedBlock
from ledger.genesis import Genesis
from ledger.store import ChainStore
from ledger.trust import TrustBundle


@dataclass(frozen=True, slots=True)
class ExportCopy:
    """An export folder; positions are bytes of its file of blocks."""

    name: str
    folder: Path
    genesis: Genesis

    def trust(self) -> TrustBundle | None:
        """Return the bundle of the export, if it has one."""
        return export.read_trust(self.folder) if (self.folder / TRUST_FILE).is_file() else None

    def size(self) -> int:
        """Return the bytes of the file of blocks."""
        path = self.folder / BLOCKS_FILE
        return path.stat().st_size if path.is_file() else 0

    def blocks(self, height: int = 0, position: int = 0) -> Iterator[ExportedBlock]:
        """Yield the blocks after a height."""
        return export.read_blocks(self.folder, height, position)


@dataclass(frozen=True, slots=True)
class StoreCopy:
    """The chain store of a stopped node; positions are heights."""

    name: str
    store: ChainStore

    @property
    def genesis(self) -> Genesis:
        """The genesis document of the store."""
        return self.store.genesis

    def trust(self) -> TrustBundle | None:
        """Return None: what a store says of its sets is what is to be audited."""
        return None

    def size(self) -> int:
        """Return the newest height."""
        return self.store.height

    def blocks(self, height: int = 0, position: int = 0) -> Iterator[ExportedBlock]:  # noqa: ARG002
        """Yield the blocks after a height."""
        for at in range(height + 1, self.store.height + 1):
            yield ExportedBlock(
                at, self.store.block_raw(at), self.store.quorum_certificate_raw(at), at
            )


ChainCopy: TypeAlias = ExportCopy | StoreCopy


@contextmanager
def open_copy(folder: Path) -> Iterator[ChainCopy]:
    """Open a copy: an export, a node's home, its data folder, or the chain store itself.

    Raises:
        InvalidInputError: The folder holds none of these.
        InvalidExportError: The export lacks its genesis document.
        PartialExportError: The export begins after the first block.
        StoreInUseError: The node still runs.
        CorruptStoreError: The store contradicts itself.
    """
    if (folder / BLOCKS_FILE).is_file():
        export.check_whole(folder)
        yield ExportCopy(str(folder), folder, export.read_genesis(folder))
        return
    for place in (folder / "data", folder, folder.parent):
        if (place / "chain" / "CURRENT").is_file():
            with ChainStore.open(place, read_only=True) as store:
                yield StoreCopy(str(folder), store)
            return
    raise InvalidInputError("neither an export nor a chain store", name=str(folder))
