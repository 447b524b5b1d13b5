"""One call of `civreg import`: read the file, plan, open the window, run, report."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.acting import Actor
from cli.errors import ImportUnfinishedError
from cli.import_elsewhere import in_journals, in_windows, refuse_elsewhere
from cli.import_journal import DEED, FOLDER, ImportJournal
from cli.import_mapping import ImportMapping
from cli.import_owners import Owners
from cli.import_plan import IMPORT_LEGACY, Plan, make_plan
from cli.import_problems import Problem
from cli.import_rows import Reading, read_register
from cli.import_run import ImportRun, Offices, Progress
from cli.import_trial import TrialActor, TrialRun, Tried
from cli.import_windows import WindowWish, open_window
from cli.people import communes
from cli.staff import staff_of
from keys.hashing import Digest
from registry.code_tables import CodeTable, parse_table

Advance = Callable[[int], None]
CHUNK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """What a file holds, before anything is done.

    Attributes:
        digest: SHA-256 of the file.
        reading: Good rows and problems.
        plan: What will be done.
        problems: All that is wrong with rows.
    """

    digest: Digest
    reading: Reading
    plan: Plan
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What stands in the register after an import.

    Attributes:
        progress: What this run did.
        firsts: Rows of this file that brought a record in, in this run or before.
        laters: Rows of this file that followed another, in this run or before.
        seconds: How long it took.
    """

    progress: Progress
    firsts: int
    laters: int
    seconds: float

    @property
    def was_complete(self) -> bool:
        """Whether this run found nothing to do: every good row stood in the register before."""
        done = self.progress
        return not (done.firsts or done.laters or done.owners or done.problems)


def read_file(path: Path, mapping: ImportMapping, actor: Actor) -> Found:
    """Read a register and plan its import; nothing is sent.

    Raises:
        InvalidInputError: Its header is not the mapping's.
    """
    reading = read_register(path, mapping, code_checker(actor))
    plan, more = make_plan(reading.rows, mapping)
    problems = sorted([*reading.problems, *more], key=lambda problem: problem.line)
    return Found(file_digest(path), reading, plan, tuple(problems))


def code_checker(actor: Actor) -> Callable[[str, str], bool]:
    """Return what tells whether a code stands in a table of the network, on any date."""
    tables: dict[str, CodeTable] = {}

    def is_code(table: str, code: str) -> bool:
        if table not in tables:
            tables[table] = parse_table(actor.genesis.attachments.get(f"table/{table}", b""))
        return code in tables[table].ranges

    return is_code


def file_digest(path: Path) -> Digest:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return Digest(digest.digest())


def open_journal(home: Path, actor: Actor, mapping: ImportMapping) -> ImportJournal:
    """Open the journal of a source in a network."""
    return ImportJournal.open(_journal_path(home, actor, mapping))


def _journal_path(home: Path, actor: Actor, mapping: ImportMapping) -> Path:
    return home / FOLDER / f"{_network_name(actor)}-{mapping.source}.sqlite"


def _network_name(actor: Actor) -> str:
    return actor.genesis.network_id.hex()[:16]


def is_done(home: Path, actor: Actor, found: Found) -> bool:
    """Tell whether all good rows of a file came in already, so that nobody need be asked."""
    mapping = found.plan.mapping
    if not found.plan.deeds or not _journal_path(home, actor, mapping).exists():
        return False
    with open_journal(home, actor, mapping) as journal:
        return entries_left(found, journal) == 0


def check_elsewhere(home: Path, actor: Actor, found: Found) -> None:
    """Refuse a file whose rows came in under another source name already.

    Raises:
        ImportedElsewhereError: They did, as a journal of this home or a window of the ledger says.
        KeyNeededError, NoNetworkError: The ledger cannot be asked.
    """
    mapping, rows = found.plan.mapping, [deed.row for deed in found.plan.deeds]
    refuse_elsewhere(in_journals(home / FOLDER, _network_name(actor), mapping.source, rows))
    refuse_elsewhere(in_windows(actor, mapping, found.digest))


def check_resume(journal: ImportJournal, found: Found, *, resume: bool) -> None:
    """Refuse to go on silently where an import of the same file was interrupted.

    Raises:
        ImportUnfinishedError: It was, and `--resume` was not given.
    """
    if journal.is_unfinished(found.digest) and not resume:
        raise ImportUnfinishedError("an import of this very file was interrupted", name="--resume")


def bring_in(actor: Actor, found: Found, journal: ImportJournal, advance: Advance) -> Imported:
    """Open the window where one is needed, and import what is left.

    Raises:
        CivregError: The window cannot be opened, or no node answers.
    """
    began_s = time.monotonic()
    mapping = found.plan.mapping
    offices = offices_of(actor, mapping)
    journal.begin(found.digest)
    journal.put_rows([(deed.name, deed.row.digest) for deed in found.plan.deeds])
    owners = None
    if offices.owners is not None:
        owners = owners_of(actor, journal)
    run = ImportRun(actor, found.plan, offices, journal, owners, advance)
    left = run.begin()
    if mapping.first == IMPORT_LEGACY and left:
        open_window(actor, offices.register, _wish(found, left))
    progress = run.run()
    journal.finish(found.digest)  # Refused rows are tried again by each further run.
    registered = {row for row, one in journal.steps(DEED).items() if one.is_committed}
    registered |= progress.known
    return Imported(
        progress=progress,
        firsts=sum(1 for deed in found.plan.firsts if deed.name in registered),
        laters=sum(1 for deed in found.plan.laters if deed.name in registered),
        seconds=time.monotonic() - began_s,
    )


def entries_to_try(home: Path, actor: Actor, found: Found) -> int:
    """Return about how many entries a trial has to make."""
    with ImportJournal.open_copy(_journal_path(home, actor, found.plan.mapping)) as journal:
        return entries_left(found, journal)


def try_import(home: Path, actor: Actor, found: Found, advance: Advance) -> Tried:
    """Try on the rules what is left of a file; nothing is sent and nothing written.

    Raises:
        InvalidInputError: The office's window for this source has another type, or no room.
        KeyNeededError, NoNetworkError, RemoteRefusalError: The rules cannot be tried here.
    """
    mapping = found.plan.mapping
    offices = offices_of(actor, mapping)
    wish = _wish(found, 0)
    path = _journal_path(home, actor, mapping)
    with ImportJournal.open_copy(path) as journal, TrialActor(actor) as trial:
        owners = None if offices.owners is None else owners_of(trial, journal)
        run = TrialRun(trial, found.plan, offices, journal, owners, advance)
        return run.tried(wish)


def _wish(found: Found, needed: int) -> WindowWish:
    return WindowWish(
        type_name=found.plan.mapping.type_name,
        source=found.plan.mapping.source,
        count=found.reading.records,
        needed=needed,
        scans_root=found.digest,
    )


def owners_of(actor: Actor, journal: ImportJournal) -> Owners:
    """Return who makes the owners of a journal's rows, always the same ones."""
    units = communes(actor.genesis.attachments["table/admin_unit"].decode())
    return Owners(journal.secret, units)


def offices_of(actor: Actor, mapping: ImportMapping) -> Offices:
    """Return who signs an import.

    Raises:
        NotFoundError: The network has no such office.
        KeyNeededError: Keys of its officers are not at hand.
    """
    register = staff_of(actor, mapping.office, [mapping.other_office])
    owners = None
    if mapping.owners_office:
        owners = staff_of(actor, mapping.owners_office, [mapping.owners_other])
    return Offices(register=register, owners=owners)


def entries_left(found: Found, journal: ImportJournal) -> int:
    """Return about how many entries an import still has to make, for showing progress."""
    done = {row for row, one in journal.steps(DEED).items() if one.is_committed}
    left = [deed for deed in found.plan.deeds if deed.name not in done]
    signing = found.plan.signing(done)
    has_owners = bool(found.plan.mapping.owners_office)
    return len(left) * (2 if has_owners else 1) + (len(signing) if has_owners else 0)


def counts_of(found: Found) -> Mapping[str, int]:
    """Return what a plain look at the plan says."""
    return {
        "records": found.reading.records,
        "good": len(found.plan.deeds),
        "firsts": len(found.plan.firsts),
        "laters": len(found.plan.laters),
    }
