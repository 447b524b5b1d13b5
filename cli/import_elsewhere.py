"""Has a file, or part of it, come in under another source name? Then it would be registered twice.

An old number is claimed once for each source name, so a second name lets the same rows in again
without a word of the ledger. Two witnesses are asked: the journals of this home, row by row, and
the windows of the office, which hold the digest of the file that was announced.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.acting import Actor
from cli.client import Call
from cli.errors import ImportedElsewhereError
from cli.import_journal import ImportJournal
from cli.import_mapping import ImportMapping
from cli.import_rows import Row
from keys.hashing import Digest
from registry.object_rows import ImportRow

WINDOWS_PATH: Final = "/v1/state/import"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Under which other name rows of a file came in, and how many of them."""

    source: str
    count: int


def refuse_elsewhere(found: list[Elsewhere]) -> None:
    """Refuse a file that came in under another name.

    Raises:
        ImportedElsewhereError: It did; names the source that has the most of it.
    """
    if found:
        most = max(found, key=lambda one: one.count)
        raise ImportedElsewhereError(
            f"{most.count} rows of this file came in as {most.source!r}",
            source=most.source,
            count=most.count,
        )


def in_journals(folder: Path, network: str, source: str, rows: list[Row]) -> list[Elsewhere]:
    """Return which other journals of a network have rows of a file, registered.

    Args:
        folder: Of the journals; need not exist.
        network: What the names of its journals begin with.
        source: Of the file's own journal, which is not asked.
        rows: Good rows of the file.
    """
    digests = {row.digest for row in rows}
    found: list[Elsewhere] = []
    for path in sorted(folder.glob(f"{network}-*.sqlite")):
        name = path.stem.removeprefix(f"{network}-")
        if name != source:
            with ImportJournal.open_copy(path) as journal:
                count = len(digests & journal.registered_rows())
            found += [Elsewhere(name, count)] if count else []
    return found


def in_windows(actor: Actor, mapping: ImportMapping, file: Digest) -> list[Elsewhere]:
    """Return under which other names the office announced this very file, and records came.

    Raises:
        KeyNeededError: No officer's key is at hand that a node would answer.
        NoNetworkError: No node answers.
    """
    office = actor.network.office(mapping.office).office_id
    document = actor.ask_any(Call(address="", path=WINDOWS_PATH, signer=actor.auth_key())).json
    found: list[Elsewhere] = []
    for row in document["rows"]:
        _kind, window_office, source = row["key"]
        window = dict(zip(ImportRow.__match_args__, row["value"], strict=True))
        if (
            source != mapping.source
            and window_office == office.hex()
            and window["type_name"] == mapping.type_name
            and window["scans_root"] == file.hex()
            and window["used"]
        ):
            found.append(Elsewhere(source, window["used"]))
    return found
