"""The demonstration with the user's own land register: all titles come from it.

The file names no owners, so they are generated, and the demonstration has their keys from the
import's journal. The sales, the re-sales and the double sale are made on titles of the file.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cli.acting import Actor
from cli.demo_scene import Incoming, OwnRegister, Scene, Title
from cli.errors import InvalidInputError
from cli.generated_acts import PersonKeys
from cli.import_file import PROBLEMS_SHOWN
from cli.import_journal import DEED, OWNER, ImportJournal
from cli.import_mapping import load_mapping
from cli.import_owners import Owners
from cli.import_plan import Deed, Plan, make_act
from cli.import_problems import Problem, RegisterFileError, problems_csv
from cli.import_rows import no_row
from cli.import_session import bring_in, entries_left, open_journal, owners_of, read_file
from keys.signing import KeyId
from ledger.ids import RecordId
from registry.acts import Act
from registry.state_key_names import record_key

REPORT_FILE: Final = "import.errors.csv"
LAND_TITLE: Final = "land_title"
_OF_A_LATE_SALE: Final = "late_code"


@dataclass(frozen=True, slots=True)
class RegisterOwner:
    """Who holds a title of the file: a generated identity."""

    identity_id: RecordId
    keys: PersonKeys

    @property
    def sign(self) -> KeyId:
        """Key id with which the owner signs."""
        return self.keys.sign.public.key_id


def read_own_register(actor: Actor, file: Path, mapping_name: str) -> OwnRegister:
    """Read the user's land register; no node need run.

    Raises:
        NotFoundError: There is no such mapping.
        InvalidInputError: The mapping is not for land titles.
        RegisterFileError: The file is not the mapping's, or no row of it can be imported; with
            line, column, value and remedy of each.
    """
    mapping = load_mapping(mapping_name)
    if mapping.type_name != LAND_TITLE:
        raise InvalidInputError(
            f"the mapping {mapping_name} is for {mapping.type_name}", name=mapping_name
        )
    found = read_file(file, mapping, actor)
    if not found.plan.firsts:
        problems = found.problems or (no_row(2),)
        raise RegisterFileError("no row can be imported", problems, file.name)
    return OwnRegister(file, found)


def import_own_register(scene: Scene) -> None:
    """Import the register with generated owners; bad rows go to a report in the folder.

    Raises:
        RegisterFileError: The network refused every row.
        CivregError: The network cannot take it.
    """
    assert scene.register is not None, "a step of demonstrations with an own register"
    found = scene.register.found
    selling = [deed.chain[-1] for deed in found.plan.firsts[: scene.titles_wished]]
    names = frozenset(found.plan.name_of(row) for row in selling)
    found = replace(found, plan=replace(found.plan, selling=names))
    with (
        open_journal(scene.folder, scene.actor, found.plan.mapping) as journal,
        scene.watched("import.entries", entries_left(found, journal)) as advance,
    ):
        imported = bring_in(scene.actor, found, journal, advance)
        scene.actor.refresh()
        scene.titles = _titles_for_sale(scene.actor, found.plan, journal)
    problems = [*found.problems, *imported.progress.problems]
    report = _report(scene, problems) if problems else None
    if not scene.titles:
        raise RegisterFileError("no title came in", problems, scene.register.file.name)
    scene.tally.register = Incoming(
        file=scene.register.file,
        records=found.reading.records,
        titles=imported.firsts,
        transfers=imported.laters,
        owners=imported.progress.owners,
        problems=len(problems),
        report=report,
    )
    scene.tally.titles += imported.firsts
    scene.tally.transfers += imported.laters
    scene.tally.identities += imported.progress.owners


def _report(scene: Scene, problems: Sequence[Problem]) -> Path:
    """Write all problems into a file, and say the first few."""
    report, language = scene.folder / REPORT_FILE, scene.context.lang
    with report.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(problems_csv(problems, language))
    for problem in problems[:PROBLEMS_SHOWN]:
        scene.say("demo.problem", problem=problem.explain(language))
    if len(problems) > PROBLEMS_SHOWN:
        scene.say("import.more_problems", count=len(problems) - PROBLEMS_SHOWN)
    scene.say("import.report", count=len(problems), report=report)
    return report


def _titles_for_sale(actor: Actor, plan: Plan, journal: ImportJournal) -> list[Title]:
    """Return the titles whose last owners have enrolled keys, if all their rows came in."""
    deeds, people = journal.steps(DEED), journal.steps(OWNER)
    came_in = {row for row, step in deeds.items() if step.is_committed}
    chosen = [
        deed
        for deed in plan.deeds
        if plan.name_of(deed.row) in plan.selling
        and all(plan.name_of(row) in came_in for row in deed.chain)
    ]
    owners = owners_of(actor, journal)
    actor.remote.prefetch([record_key(deeds[plan.first(deed)].record_id) for deed in chosen])
    return [
        Title(
            act=_act_of(actor, plan, deed, people[deed.name].record_id),
            target=actor.target(deeds[plan.first(deed)].record_id),
            holder=_owner(actor, owners, deed.name, people[deed.name].record_id),
        )
        for deed in chosen
    ]


def _act_of(actor: Actor, plan: Plan, deed: Deed, holder: RecordId) -> Act:
    """Return what a title says now; why an old sale was late is no matter of the next one."""
    operation = plan.mapping.later if deed.rank else plan.mapping.first
    act = make_act(plan, deed, actor.find_form(f"{LAND_TITLE}/{operation}"), holder)
    (content,) = act.records
    member = {name: value for name, value in content.member.items() if name != _OF_A_LATE_SALE}
    return replace(act, records=(replace(content, member=member),))


def _owner(actor: Actor, owners: Owners, row: str, identity_id: RecordId) -> RegisterOwner:
    keys = owners.keys(row)
    actor.ring.add_all((keys.sign, keys.auth, keys.seal))
    return RegisterOwner(identity_id, keys)
