"""Step of the demonstration: the user's own land register is imported, with generated owners."""

import csv
from pathlib import Path
from typing import Final

from cli.demo_scene import Scene
from cli.errors import InvalidInputError
from cli.import_mapping import load_mapping
from cli.import_rows import problems_csv
from cli.import_session import bring_in, entries_left, open_journal, read_file

REPORT_FILE: Final = "import.errors.csv"
LAND_TITLE: Final = "land_title"


def import_register(scene: Scene, file: Path, mapping_name: str) -> None:
    """Import a land register; bad rows go to a report in the demonstration's folder.

    Raises:
        InvalidInputError: The mapping is not for land titles, or not for this file.
        CivregError: The network cannot take it.
    """
    mapping = load_mapping(mapping_name)
    if mapping.type_name != LAND_TITLE:
        raise InvalidInputError(
            f"the mapping {mapping_name} is for {mapping.type_name}", name=mapping_name
        )
    found = read_file(file, mapping, scene.actor)
    with (
        open_journal(scene.folder, scene.actor, mapping) as journal,
        scene.watched("import.entries", entries_left(found, journal)) as advance,
    ):
        imported = bring_in(scene.actor, found, journal, advance)
    problems = [*found.problems, *imported.progress.problems]
    if problems:
        report = scene.folder / REPORT_FILE
        with report.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows(problems_csv(problems))
        scene.say("import.report", count=len(problems), report=report)
    scene.tally.titles += imported.firsts
    scene.tally.transfers += imported.laters
    scene.tally.identities += imported.progress.owners
    scene.actor.refresh()
