"""Form files: what a clerk or owner filled in, checked against the record type, all errors at once.

A form is TOML or JSON. Fields of the subject stand at the top under their schema names, a group as
a table; beside them four tables that are no fields:

    [act]            event_date, received_on, reason, legal_basis, sufficient, official, evidence,
                     court_order
    [[holders]]      parties = ["id", ...], share = "1/2"
    [created.child]  fields of a record that the operation creates; what the subject already says
                     is copied and need not be written twice
    [[objects.mortgage]]  fields of what the act makes

An edit of a record begins from its present values: what the form leaves out stays, an empty text
empties the field.

Source: users.md, section 1; records.md, sections 2 and 5.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NoReturn, cast

from ledger.canonical import Value
from ledger.limits import BODY_BYTES_MAX
from ledger.parts import Evidence, ObjectPart
from registry.acts import Act, RecordContent
from registry.civil_calendar import is_date
from registry.code_names import FindTable
from registry.entry_checks import REASON_PATTERN
from registry.field_specs import FieldSpec
from registry.form_kinds import FormKind, needed_in_act
from registry.form_records import as_table, read_records
from registry.form_values import FormReader
from registry.problems import FormError, Problem, Text
from registry.schema import Operation

if TYPE_CHECKING:
    from keys.hashing import Digest
    from ledger.ids import RecordId

FORM_BYTES_MAX: Final = BODY_BYTES_MAX

ACT_FIELDS: Final[Mapping[str, FieldSpec]] = {
    spec.name: spec
    for spec in (
        FieldSpec(name="event_date", kind="date", title=("Ngày của sự kiện", "Date of the event")),
        FieldSpec(name="received_on", kind="date", title=("Ngày tiếp nhận", "Received on")),
        FieldSpec(
            name="reason", kind="text", pattern=REASON_PATTERN, title=("Mã lý do", "Reason code"),
        ),
        FieldSpec(
            name="legal_basis", kind="list", item=FieldSpec(name="item", kind="text"),
            title=("Căn cứ pháp lý", "Legal basis"),
        ),
        FieldSpec(name="sufficient", kind="bool", title=("Giấy tờ đủ", "Evidence is sufficient")),
        FieldSpec(name="official", kind="bool", title=("Có biên bản cơ quan", "Official report")),
        FieldSpec(
            name="evidence", kind="list", item=FieldSpec(name="item", kind="bytes", chars_max=32),
            title=("Mã băm bản quét", "Digests of scans"),
        ),
        FieldSpec(name="court_order", kind="link", title=("Quyết định của tòa", "Court order")),
    )
}  # fmt: skip


_PLACE: Final = re.compile(r"line (?P<line>[0-9]+),? column (?P<column>[0-9]+)")
"""Where the readers of TOML and of JSON stopped, in their English sentences."""
_SAID_CHARS_MAX: Final = 200


def parse_form_text(text: str) -> dict[str, object]:
    """Return the tables of a form; JSON if it begins with a brace, else TOML. No float comes out.

    Raises:
        FormError: Too long, or neither TOML nor a JSON object; one problem that says where.
    """
    found: object = None
    try:
        if len(text.encode()) > FORM_BYTES_MAX:
            long = f"{FORM_BYTES_MAX} byte"
            _refuse_text((f"biểu mẫu dài hơn {long}", f"the form is over {long}s"))
        if text.lstrip().startswith("{"):
            found = json.loads(text, parse_float=str, parse_constant=str)
        else:
            found = tomllib.loads(text, parse_float=str)
    except (ValueError, RecursionError) as error:
        place = _PLACE.search(str(error))
        where = "" if place is None else f" ở dòng {place['line']}, cột {place['column']}"
        said = str(error)[:_SAID_CHARS_MAX]
        _refuse_text(
            (
                f"không đọc được biểu mẫu theo TOML hoặc JSON{where}",
                f"the form cannot be read as TOML or JSON: {said}",
            )
        )
    return cast("dict[str, object]", found)


def _refuse_text(sentence: Text) -> NoReturn:
    problem = Problem(
        field="", value="", rule="form", sentence=sentence, article="",
        example='event_date = "2026-03-15"',
    )  # fmt: skip
    raise FormError("the form cannot be read", [problem])


def read_form(
    form: Mapping[str, object],
    form_kind: FormKind,
    find_table: FindTable,
    previous: RecordContent | None = None,
    today: str | None = None,
) -> Act:
    """Return the act that a form describes.

    Args:
        form: As `parse_form_text` gives it, or a row of a table as a nested mapping.
        form_kind: Which form.
        find_table: Code tables by name.
        previous: The present values of the record that is edited; None for a new record.
        today: ISO date; a code may be in force on the date of the event or on this one, for which
            of them counts is a ledger rule. None: only the date of the event.

    Raises:
        FormError: With every problem of the form.
    """
    act_table = as_table(form.get("act"))
    day = _event_day(act_table, form, previous)
    reader = FormReader(find_table, day, today or day, form_kind.article)
    head = _read_specs(reader, act_fields(form_kind.operation), act_table, "act.")
    if not day and not act_table.get("event_date") and not form.get("event_date"):
        reader.refuse("act.event_date", "required", None, "2026-03-15")
    records = read_records(reader, form_kind, form, previous)
    objects = _read_objects(reader, form_kind, form.get("objects"))
    if reader.problems:
        raise FormError(f"the form has {len(reader.problems)} problems", reader.problems)
    scans = sorted(set(cast("tuple[Digest, ...]", head.get("evidence") or ())))
    return Act(
        kind=form_kind.kind,
        event_date=day,
        records=records,
        received_on=cast("str | None", head.get("received_on")),
        legal_basis=cast("tuple[str, ...]", head.get("legal_basis") or ()),
        evidence=Evidence(
            sufficient=head.get("sufficient") is True,
            official=head.get("official") is True,
            digests=tuple(scans),
        ),
        reason=cast("str | None", head.get("reason")),
        court_order=cast("RecordId | None", head.get("court_order")),
        objects=objects,
    )


def act_fields(operation: Operation) -> dict[str, FieldSpec]:
    """Return the fields about the act itself, required where the operation asks for them."""
    needed = needed_in_act(operation)
    return {name: replace(spec, required=name in needed) for name, spec in ACT_FIELDS.items()}


def _event_day(
    act: Mapping[str, object], form: Mapping[str, object], previous: RecordContent | None
) -> str:
    """Return the date of the event: of the act's table, else of the field of that name."""
    written = act.get("event_date") or form.get("event_date")
    if not written and previous is not None:
        written = previous.member.get("event_date")
    day = str(written or "")
    return day if is_date(day) else ""


def _read_objects(reader: FormReader, form_kind: FormKind, raw: object) -> tuple[ObjectPart, ...]:
    tables = as_table(raw)
    known = form_kind.objects
    uses = {use.kind: use for use in form_kind.operation.objects}
    for kind in tables:
        if kind not in uses:
            reader.refuse(f"objects.{kind}", "unknown", "", ", ".join(sorted(uses)))
    found: list[ObjectPart] = []
    for kind, use in uses.items():
        written = tables.get(kind)
        listed = written if isinstance(written, list) else [] if written is None else [written]
        if not use.minimum <= len(listed) <= use.maximum:
            reader.refuse(f"objects.{kind}", "required", None, f"[[objects.{kind}]]")
        for at, item in enumerate(listed):
            path = f"objects.{kind}[{at}]."
            fields = _read_specs(reader, known[kind], as_table(item), path)
            found.append(ObjectPart(kind, fields))
    return tuple(found)


def _read_specs(
    reader: FormReader, specs: Mapping[str, FieldSpec], raw: Mapping[str, object], path: str
) -> dict[str, Value]:
    for name in raw:
        if name not in specs:
            reader.refuse(f"{path}{name}", "unknown", raw[name], ", ".join(specs))
    found: dict[str, Value] = {}
    for name, spec in specs.items():
        value = reader.read(spec, raw.get(name), f"{path}{name}")
        if value is not None:
            found[name] = value
    return found
