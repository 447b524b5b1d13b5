"""Windows through which old books come in: opened by ballot, then the scans' root is committed.

Source: records.md, section 5, `import_legacy`.
"""

from registry.civil_calendar import in_range
from registry.object_rows import ImportRow
from registry.running import Run
from registry.state_key_names import import_key


def legacy_source(run: Run) -> tuple[str, str] | None:
    """Return system and id of the old record, None if the entry names none."""
    legacy = run.subject.part.member.get("legacy")
    if not isinstance(legacy, dict):
        return None
    return str(legacy["system"]), str(legacy["id"])


def open_window(run: Run) -> ImportRow | None:
    """Return the window that is open for this office and source and has room, or None."""
    source = legacy_source(run)
    row = None if source is None else run.state.read(import_key(run.office, source[0]), ImportRow)
    if (
        row is None
        or row.scans_root is None
        or row.type_name != run.record_type.name
        or row.from_height > run.block.height
        or not in_range(run.day, row.from_date, row.to_date)
        or row.used >= row.count
    ):
        return None
    return row
