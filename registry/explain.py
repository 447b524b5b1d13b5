"""What an act does, in words: each signer's own program says it before it signs.

Everything that will be signed is said: every field of every record, who signs as what, on which
grounds. A field whose body the program cannot open is *unseen*, and then the explanation says so at
its top; nothing is left out or guessed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ledger.canonical import Value
from ledger.entries import EntryContent
from ledger.ids import ID_BYTES, RecordId, print_id
from ledger.parts import CustodySigner, Evidence, Holder, RecordPart, Signer
from registry.authority import ALL
from registry.code_names import FindTable
from registry.errors import UnknownKindError
from registry.explain_words import (
    key_words,
    object_words,
    role_words,
    rule_words,
    term_words,
)
from registry.field_specs import FieldSpec, in_schema_order
from registry.form_kinds import FindType, find_form
from registry.form_values import print_value
from registry.legal_words import bases_words
from registry.problems import Language, Text, in_language
from registry.schema import RecordType
from registry.vocabulary import KEY_OBJECTS

NameOf = Callable[[bytes], str | None]
"""Returns what people call an office, officer, key or record by its id, or None."""

KEY: Final = "key"
ROLE: Final = "role"
_TYPES: Final = frozenset({"type", "types"})
"""Fields that name record types."""
_OF_A_KEY: Final = frozenset({"algorithm", "public"})
"""Fields of an object which a key's purpose and fingerprint say."""
UNSEEN: Final[Text] = ("KHÔNG XEM ĐƯỢC", "UNSEEN")
_WARNING: Final[Text] = (
    "CHÚ Ý: chương trình này không mở được phần niêm phong; ký là ký khi chưa xem.",
    "WARNING: this program cannot open the sealed part; if you sign, you sign unseen.",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is said: label and value; `depth` 0 for the act, 1 for a record's fields."""

    label: Text
    value: Text
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that an act does, in both languages.

    Attributes:
        lines: In the order of reading.
        unseen: Whether a sealed field could not be opened.
    """

    lines: tuple[Line, ...]
    unseen: bool

    def text(self, language: Language) -> str:
        """Return it as lines of text, with the warning on top if something is unseen."""
        head = [in_language(_WARNING, language)] if self.unseen else []
        body = [
            f"{'  ' * line.depth}{in_language(line.label, language)}: "
            f"{in_language(line.value, language)}"
            for line in self.lines
        ]
        return "\n".join([*head, *body]) + "\n"


@dataclass(frozen=True, slots=True)
class Reading:
    """What an explanation is made with.

    Attributes:
        find_type: Record types by name.
        find_table: Code tables by name.
        name_of: Names of offices, people and records by id.
        opened: Record id -> sealed values by path, of the bodies that could be opened.
        before: Record id -> sealed values by path of the version before, as far as known.
    """

    find_type: FindType
    find_table: FindTable
    name_of: NameOf
    opened: Mapping[RecordId, Mapping[str, Value]]
    before: Mapping[RecordId, Mapping[str, Value]]


def explain_entry(entry: EntryContent, reading: Reading) -> Explanation:
    """Say in words what an entry or draft does.

    Args:
        entry: Signed or not.
        reading: What to read it with.

    Raises:
        UnknownKindError: The entry names a type or operation that is not known.
    """
    head = entry.head
    form_kind = find_form(head.kind, reading.find_type)
    what = tuple(
        f"{in_language(form_kind.record_type.title, language)}: "
        f"{in_language(form_kind.operation.title, language) or head.operation}"
        for language in ("vi", "en")
    )
    lines = [Line(("Việc", "Act"), (what[0], what[1]))]
    lines += _head_lines(entry, reading)
    unseen = False
    for record in entry.records:
        record_lines, hidden = _record_lines(record, reading, head.event_date)
        lines += record_lines
        unseen = unseen or hidden
    for made in entry.objects:
        words = object_words(made.kind)
        title = (f"Lập {words[0]}", f"Makes {words[1]}")
        key = key_words(made.kind, made.fields) if made.kind in KEY_OBJECTS else None
        lines.append(Line(title, key or ("", "")))
        if key is not None and made.kind == KEY:
            continue
        shown = {
            name: value
            for name, value in made.fields.items()
            if key is None or name not in _OF_A_KEY
        }
        specs = form_kind.objects.get(made.kind, {})
        lines += _field_lines(specs, shown, reading, head.event_date)
    lines += [_signer_line(signer, reading) for signer in head.signers]
    return Explanation((*lines, *_ground_lines(entry)), unseen)


def _head_lines(entry: EntryContent, reading: Reading) -> list[Line]:
    head = entry.head
    lines = [Line(("Ngày của sự kiện", "Date of the event"), (head.event_date,) * 2)]
    if head.office is not None:
        lines.append(Line(("Cơ quan", "Office"), _named(head.office, reading)))
    if head.received_on is not None:
        lines.append(Line(("Ngày tiếp nhận", "Received on"), (head.received_on,) * 2))
    if head.about is not None:
        shown = print_id(head.about.record_id)
        version = head.about.version
        words = (f"{shown}, phiên bản {version}", f"{shown}, version {version}")
        lines.append(Line(("Về hồ sơ", "About the record"), words))
    return lines


def _record_lines(record: RecordPart, reading: Reading, day: str) -> tuple[list[Line], bool]:
    record_type = reading.find_type(record.type_name)
    shown, version = print_id(record.record_id), record.record_version
    words = (
        (f"{shown}, hồ sơ mới", f"{shown}, a new record")
        if version == 1
        else (f"{shown}, phiên bản {version}", f"{shown}, version {version}")
    )
    lines = [Line(record_type.title, words)]
    lines += _field_lines(record_type.member_fields, record.member, reading, day)
    for name, spec, found in in_schema_order(record_type.fields, record.links):
        ids = found if isinstance(found, tuple) else (found,)
        named = [_named(each, reading) for each in ids]
        joined = ", ".join(vi for vi, _ in named), ", ".join(en for _, en in named)
        lines.append(Line(_title(spec, name), joined, 1))
    lines += [_holder_line(holder, reading) for holder in record.holders]
    for claim in record.claims:
        value = claim.value if isinstance(claim.value, str) else claim.value.hex()
        lines.append(
            Line(("Khóa duy nhất", "Unique claim"), (f"{claim.namespace} {value}",) * 2, 1)
        )
    for match in record.matches:
        said = f"{match.namespace} {match.tag.hex()}"
        lines.append(Line(("Dấu so trùng", "Match tag"), (said,) * 2, 1))
    if record.seal is None:
        return lines, False
    return lines + _sealed_lines(record, record_type, reading, day), (
        record.record_id not in reading.opened
    )


def _field_lines(
    specs: Mapping[str, FieldSpec], values: Mapping[str, Value], reading: Reading, day: str
) -> list[Line]:
    """Return a line for each value; a field that the type lacks is shown as it stands."""
    lines: list[Line] = []
    for name, spec, value in in_schema_order(specs, values):
        if spec is None:
            lines.append(Line((name, name), (repr(value), repr(value)), 1))
        elif spec.kind == "bytes" and isinstance(value, bytes) and len(value) == ID_BYTES:
            lines.append(Line(_title(spec, name), _named(value, reading), 1))
        else:
            said = _coded(name, value, reading) or print_value(spec, value, reading.find_table, day)
            lines.append(Line(_title(spec, name), said, 1))
    return lines


def _coded(name: str, value: Value, reading: Reading) -> Text | None:
    """Return the words of an officer's role and of the record types of a task, else None."""
    if name == ROLE and isinstance(value, str):
        return _with_code(role_words(value), value)
    if name in _TYPES:
        each = [
            _type_words(one, reading) for one in (value if isinstance(value, tuple) else [value])
        ]
        return ", ".join(vi for vi, _ in each), ", ".join(en for _, en in each)
    return None


def _type_words(value: Value, reading: Reading) -> Text:
    if value == ALL:
        return _with_code(("tất cả", "all"), ALL)
    try:
        return _with_code(reading.find_type(str(value)).title, str(value))
    except UnknownKindError:
        return str(value), str(value)


def _with_code(words: Text, code: str) -> Text:
    return f"{words[0]} ({code})", f"{words[1]} ({code})"


def _sealed_lines(
    record: RecordPart, record_type: RecordType, reading: Reading, day: str
) -> list[Line]:
    opened = reading.opened.get(record.record_id)
    before = reading.before.get(record.record_id)
    lines: list[Line] = []
    listed = [each for spec in record_type.fields.values() for each in spec.sealed_paths()]
    for path, spec in listed:
        title = _sealed_title(record_type, path, spec)
        if opened is None:
            lines.append(Line(title, UNSEEN, 1))
            continue
        value = opened.get(path)
        if value is None and (before is None or before.get(path) is None):
            continue  # what was empty and stays so is no news
        said = print_value(spec, value, reading.find_table, day)
        if before is not None and before.get(path) != value:
            old = print_value(spec, before.get(path), reading.find_table, day)
            said = (f"{said[0]} (trước: {old[0]})", f"{said[1]} (before: {old[1]})")
        lines.append(Line(title, said, 1))
    return lines


def _sealed_title(record_type: RecordType, path: str, spec: FieldSpec) -> Text:
    top, _, part = path.partition(".")
    own = _title(spec, path)
    if not part:
        return own
    group = _title(record_type.fields.get(top), top)
    return f"{group[0]}, {own[0]}", f"{group[1]}, {own[1]}"


def _title(spec: FieldSpec | None, name: str) -> Text:
    if spec is None:
        return name, name
    return spec.title[0] or name, spec.title[1] or name


def _named(found: bytes, reading: Reading) -> Text:
    shown = print_id(found)
    name = reading.name_of(found)
    return (shown, shown) if name is None else (f"{name} ({shown})",) * 2


def _holder_line(holder: Holder, reading: Reading) -> Line:
    parties = ", ".join(_named(party, reading)[0] for party in holder.parties)
    said = f"{holder.numerator}/{holder.denominator}: {parties}"
    return Line(("Chủ sở hữu", "Owner"), (said, said), 1)


def _signer_line(signer: Signer, reading: Reading) -> Line:
    vi, en = term_words(signer.term)
    if signer.acting_for is not None:
        named = _named(signer.acting_for, reading)
        vi, en = f"{vi}, thay cho {named[0]}", f"{en}, for {named[1]}"
    if isinstance(signer, CustodySigner):
        officers = ", ".join(_named(key, reading)[0] for key in signer.officers)
        form = signer.form_digest.hex()
        said = (
            f"{vi}: không có khóa, cán bộ {officers} chứng thực tờ khai {form}",
            f"{en}: without a key, officers {officers} attest the form {form}",
        )
    else:
        key = _named(signer.key_id, reading)
        said = (f"{vi}: {key[0]}", f"{en}: {key[1]}")
    return Line(("Người ký", "Signer"), said)


def _ground_lines(entry: EntryContent) -> list[Line]:
    context, head = entry.context, entry.head
    lines = [
        Line(("Căn cứ pháp lý", "Legal basis"), bases_words(head.legal_basis)),
        Line(("Giấy tờ", "Evidence"), _evidence_words(context.evidence)),
    ]
    for rule in context.rules:
        said = ("chưa kiểm chứng", "unverified") if rule.warned else ("đạt", "passed")
        words = rule_words(rule.rule)
        lines.append(Line((f"Quy tắc: {words[0]}", f"Rule: {words[1]}"), said))
    if context.court_order is not None:
        order = print_id(context.court_order)
        lines.append(Line(("Quyết định của tòa", "Court order"), (order, order)))
    if context.reason is not None:
        lines.append(Line(("Lý do", "Reason"), (context.reason,) * 2))
    return lines


def _evidence_words(evidence: Evidence) -> Text:
    vi = ["đủ" if evidence.sufficient else "chưa đủ"]
    en = ["sufficient" if evidence.sufficient else "not sufficient"]
    if evidence.official:
        vi, en = [*vi, "chính thức"], [*en, "official"]
    scans = len(evidence.digests)
    return ", ".join([*vi, f"{scans} bản quét"]), ", ".join([*en, f"{scans} scans"])
