"""Ballots: what only the agencies together decide, by more than two thirds of the weight.

An action is checked when it is opened and done when it passes; it counts two heights later, or from
a later height that the ballot names. A ballot lapses after 30 days.

Source: architecture.md, section 7; records.md, section 3.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias, cast

from keys.hashing import Digest
from ledger.canonical import Value
from ledger.ids import AgencyId, ObjectId, OfficeId
from registry import parameters
from registry.authority_errors import BallotClosedError, GovernanceConflictError
from registry.authority_rows import AgencyRow, MandateRow, OfficeRow
from registry.civil_calendar import DAY_MS
from registry.code_tables import parse_table, read_text
from registry.committee import IN_FORCE_AFTER_HEIGHTS, validator_set_at
from registry.effects import Effect
from registry.engine import check_newer
from registry.errors import FieldValueError, ObjectUnknownError, SchemaError
from registry.field_specs import FieldSpec, check_fields
from registry.governance import agency_of
from registry.membership import (
    admit,
    check_admission,
    check_removal,
    check_weight,
    remove,
    set_weight,
)
from registry.object_rows import BallotRow, ImportRow
from registry.rows import (
    PackRow,
    ParameterRow,
    TableRow,
    TextRow,
    TypeRow,
)
from registry.running import Run
from registry.schema_reader import read_record_type, text_digest
from registry.side_effects import check_new, made_id
from registry.state_key_names import (
    agency_key,
    ballot_key,
    import_key,
    mandate_key,
    office_key,
    pack_key,
    parameter_key,
    table_key,
    text_key,
    type_key,
)

HISTORY_MAX: Final = 4_096


def _spec(name: str, kind: str, *, required: bool = True, bytes_count: int = 0) -> FieldSpec:
    if kind == "words":
        return FieldSpec(
            name=name, kind="list", required=required, item=FieldSpec(name="item", kind="text")
        )
    chars = bytes_count if kind == "bytes" else 256
    return FieldSpec(name=name, kind=kind, required=required, chars_max=chars)


_HEIGHT: Final = _spec("height", "int", required=False)
ACTIONS: Final[dict[str, dict[str, FieldSpec]]] = {
    action: {spec.name: spec for spec in specs}
    for action, specs in {
        "mandate": (
            _spec("agency", "bytes", bytes_count=16),
            _spec("types", "words"),
            _spec("operations", "words"),
            _spec("units", "words"),
            _spec("from_date", "date"),
            _spec("to_date", "date", required=False),
            _spec("legal_basis", "text"),
        ),
        "import_window": (
            _spec("office", "bytes", bytes_count=16),
            _spec("source", "text"),
            _spec("type", "text"),
            _spec("from_date", "date"),
            _spec("to_date", "date"),
        ),
        "schema": (_spec("digest", "bytes", bytes_count=32), _HEIGHT),
        "table": (_spec("name", "text"), _spec("digest", "bytes", bytes_count=32), _HEIGHT),
        "pack": (_spec("name", "text"), _spec("digest", "bytes", bytes_count=32), _HEIGHT),
        "admit": (
            _spec("name", "text"),
            _spec("kind", "text"),
            _spec("weight", "int"),
            _spec("application", "bytes"),
        ),
        "remove": (_spec("agency", "bytes", bytes_count=16),),
        "validator": (_spec("agency", "bytes", bytes_count=16), _spec("weight", "int"), _HEIGHT),
    }.items()
}
"""Action -> its fields; `parameter` has `name`, `value` and `height`, checked apart."""
PARAMETER: Final = "parameter"

Action: TypeAlias = Callable[[Run, dict[str, Value], int], None]


def hold_ballot(run: Run, _arguments: tuple[str, ...]) -> None:
    """Open a ballot; the agency that opens it has voted for it."""
    (item,) = run.objects("ballot")
    action, fields = str(item.fields["action"]), cast("dict[str, Value]", item.fields["fields"])
    if action == PARAMETER:
        _check_parameter(run, fields)
    elif action in ACTIONS:
        check_fields(ACTIONS[action], fields)
        if action in CHECKS:
            CHECKS[action](run, fields)
    else:
        raise FieldValueError("ballots have no such action", field="action")
    row = BallotRow(action, fields, run.block.height, run.block.time_ms, (), (), None)
    check_new(run, ballot_key(made_id(run)), BallotRow)
    _cast(run, made_id(run), row, yes=True)


def vote(run: Run, _arguments: tuple[str, ...]) -> None:
    """Vote once, while the ballot is open; the vote that makes two thirds does the action."""
    (item,) = run.objects("vote")
    ballot_id = ObjectId(cast("bytes", item.fields["ballot"]))
    row = run.state.read(ballot_key(ballot_id), BallotRow)
    if row is None:
        raise ObjectUnknownError("there is no such ballot")
    open_days = parameters.number(run.state, "ballot_days", run.block.height)
    if row.in_force_height is not None or run.block.time_ms > row.opened_ms + open_days * DAY_MS:
        raise BallotClosedError("the ballot has passed or lapsed")
    if agency_of(run) in (*row.yes, *row.no):
        raise BallotClosedError("the agency has voted")
    _cast(run, ballot_id, row, yes=item.fields["yes"] is True)


def _cast(run: Run, ballot_id: ObjectId, row: BallotRow, *, yes: bool) -> None:
    voters = validator_set_at(run.state, run.block.height)
    agency = agency_of(run)
    if voters.index_of(agency) is None:
        raise BallotClosedError("the agency has no vote")
    if yes:
        row = replace(row, yes=tuple(sorted((*row.yes, agency))))
    else:
        row = replace(row, no=tuple(sorted((*row.no, agency))))
    weight = sum(one.weight for one in voters.validators if one.agency_id in row.yes)
    if voters.is_quorum(weight):
        named = row.fields.get("height")
        earliest = run.block.height + IN_FORCE_AFTER_HEIGHTS
        from_height = max(earliest, named) if type(named) is int else earliest
        row = replace(row, in_force_height=from_height)
        _DO[row.action](run, row.fields, from_height)
    run.state.write(ballot_key(ballot_id), row)


def _check_parameter(run: Run, fields: dict[str, Value]) -> None:
    spec = {"name": _spec("name", "text"), "height": _HEIGHT}
    check_fields(spec, {key: value for key, value in fields.items() if key != "value"})
    if "value" not in fields:
        raise FieldValueError("a parameter needs a value", field="value")
    parameters.check_decided(str(fields["name"]), fields["value"])
    check_newer(run.state, fields)


def _set_parameter(run: Run, fields: dict[str, Value], from_height: int) -> None:
    check_newer(run.state, fields)
    key = parameter_key(str(fields["name"]))
    row = run.state.read(key, ParameterRow) or ParameterRow(())
    _check_follows([height for _value, height in row.history], from_height)
    run.state.write(key, ParameterRow((*row.history, (fields["value"], from_height))))


def _check_follows(heights: list[int], from_height: int) -> None:
    if len(heights) >= HISTORY_MAX:
        raise GovernanceConflictError("this has changed too often")
    if heights and heights[-1] > from_height:
        raise GovernanceConflictError("a later change has been decided before")


def _give_mandate(run: Run, fields: dict[str, Value], from_height: int) -> None:
    agency_id = AgencyId(cast("bytes", fields["agency"]))
    agency = run.state.read(agency_key(agency_id), AgencyRow)
    if agency is None:
        raise ObjectUnknownError("there is no such agency")
    row = MandateRow(
        types=cast("tuple[str, ...]", fields["types"]),
        operations=cast("tuple[str, ...]", fields["operations"]),
        units=cast("tuple[str, ...]", fields["units"]),
        from_date=str(fields["from_date"]),
        to_date=cast("str | None", fields.get("to_date")),
        legal_basis=str(fields["legal_basis"]),
        from_height=from_height,
    )
    run.state.write(mandate_key(agency_id, agency.mandates), row)
    run.state.write(agency_key(agency_id), replace(agency, mandates=agency.mandates + 1))


def _open_window(run: Run, fields: dict[str, Value], from_height: int) -> None:
    office = OfficeId(cast("bytes", fields["office"]))
    key = import_key(office, str(fields["source"]))
    if run.state.read(office_key(office), OfficeRow) is None:
        raise ObjectUnknownError("there is no such office")
    if run.state.read(key, ImportRow) is not None:
        raise GovernanceConflictError("the office has had a window for this source")
    row = ImportRow(
        type_name=str(fields["type"]),
        from_date=str(fields["from_date"]),
        to_date=str(fields["to_date"]),
        from_height=from_height,
        scans_root=None,
        count=0,
        used=0,
    )
    run.state.write(key, row)


def publish_text(run: Run, _arguments: tuple[str, ...]) -> None:
    """Put a piece of a text into the state, under the digest that the whole must have.

    Until the whole has it, a piece may be published anew: rubbish keeps no text out.
    """
    (item,) = run.objects("piece")
    digest = Digest(cast("bytes", item.fields["digest"]))
    number, pieces = cast("int", item.fields["number"]), cast("int", item.fields["pieces"])
    first = run.state.read(text_key(digest, 0), TextRow)
    if number >= pieces or (number > 0 and (first is None or first.pieces != pieces)):
        raise FieldValueError("the pieces come in order and say how many they are", field="number")
    known = read_text(run.state, digest)
    if known is not None and text_digest(known) == digest:
        raise GovernanceConflictError("this text is in the state")
    run.state.write(text_key(digest, number), TextRow(cast("bytes", item.fields["bytes"]), pieces))


def _published(run: Run, fields: dict[str, Value]) -> tuple[bytes, Digest]:
    digest = Digest(cast("bytes", fields["digest"]))
    text = read_text(run.state, digest)
    if text is None or text_digest(text) != digest:
        raise ObjectUnknownError("the text with this digest has not been published")
    return text, digest


def _activate_schema(run: Run, fields: dict[str, Value], from_height: int) -> None:
    text, digest = _published(run, fields)
    try:
        record_type = read_record_type(text)
    except SchemaError as error:
        raise FieldValueError("the text is no record type", field="digest") from error
    if record_type.engine_version > parameters.number(run.state, parameters.ENGINE, from_height):
        raise FieldValueError("the type needs a later engine version", field="digest")
    key = type_key(record_type.name)
    row = run.state.read(key, TypeRow) or TypeRow(())
    if row.versions and row.versions[-1][0] >= record_type.version:
        raise GovernanceConflictError("the version does not follow those before")
    _check_follows([height for _version, _digest, height in row.versions], from_height)
    run.state.write(key, TypeRow((*row.versions, (record_type.version, digest, from_height))))


def _activate_table(run: Run, fields: dict[str, Value], from_height: int) -> None:
    text, digest = _published(run, fields)
    try:
        parse_table(text)
    except SchemaError as error:
        raise FieldValueError("the text is no code table", field="digest") from error
    key = table_key(str(fields["name"]))
    row = run.state.read(key, TableRow) or TableRow(())
    _check_follows([height for _digest, height in row.versions], from_height)
    run.state.write(key, TableRow((*row.versions, (digest, from_height))))


def _activate_pack(run: Run, fields: dict[str, Value], from_height: int) -> None:
    _text, digest = _published(run, fields)
    key = pack_key(digest)
    if run.state.read(key, PackRow) is not None:
        raise GovernanceConflictError("the pack is known")
    run.state.write(key, PackRow(str(fields["name"]), from_height, None))


_DO: Final[dict[str, Action]] = {
    "mandate": _give_mandate,
    "import_window": _open_window,
    "schema": _activate_schema,
    "table": _activate_table,
    "pack": _activate_pack,
    "admit": admit,
    "remove": remove,
    "validator": set_weight,
    PARAMETER: _set_parameter,
}

CHECKS: Final[dict[str, Callable[[Run, dict[str, Value]], object]]] = {
    "admit": check_admission,
    "remove": check_removal,
    "validator": check_weight,
}
"""What would be refused when a ballot passes, found when it is opened."""

BALLOT_EFFECTS: Final[dict[str, Effect]] = {
    effect.__name__: effect for effect in (hold_ballot, publish_text, vote)
}
