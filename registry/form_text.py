"""Form files as text: an empty form with comments in two languages, and an act as a filled form.

What `print_form` writes, `registry.forms` reads back as the same act.
"""

import json
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from ledger.canonical import Value
from ledger.ids import print_id
from ledger.parts import Holder
from registry.acts import Act, RecordContent
from registry.code_names import FindTable
from registry.explain_words import object_words
from registry.field_specs import FieldSpec
from registry.form_kinds import FormKind, derived_names
from registry.form_records import writable_fields
from registry.form_values import EXAMPLE_ID, FormReader
from registry.forms import ACT_FIELDS, act_fields
from registry.legal_words import bases_words
from registry.problems import Language, in_language
from registry.schema import RecordType, Write

_WORDS: Mapping[str, tuple[str, str]] = {
    "required": ("bắt buộc", "required"),
    "in_group": ("bắt buộc trong nhóm này", "required in this group"),
    "optional": ("không bắt buộc", "optional"),
    "sealed": ("được niêm phong", "sealed"),
    "table": ("bảng mã", "code table"),
    "one_of": ("một trong", "one of"),
    "holders": (
        "Người có quyền: mỗi phần một bảng [[holders]]",
        "Holders: one table [[holders]] for each share",
    ),
    "parties": ("Những người cùng giữ phần này", "Who hold this share together"),
    "share": ("Phần; tổng các phần là 1", "The share; all of them sum to 1"),
    "basis": ("căn cứ", "basis"),
    "example": ("ví dụ", "example"),
    "copied": (
        "Những gì hồ sơ trên đã ghi được chép sang; ở đây chỉ ghi phần còn lại.",
        "What the record above says is copied; only the rest is written here.",
    ),
    "head": (
        "Điền giá trị sau dấu bằng; bỏ dấu thăng ở dòng không bắt buộc cần dùng.",
        "Fill in values after the equals signs; take the # from optional lines that you use.",
    ),
    "edit": (
        "Bỏ dấu thăng ở những gì thay đổi; những gì bỏ trống giữ nguyên.",
        "Take the # from what changes and fill it in; what you leave out stays as it is.",
    ),
}
_NOTES: Mapping[str, tuple[str, str]] = {
    "event_date": ("bỏ trống là hôm nay", "today if left out"),
    "sufficient": (
        "ghi true: cán bộ đã kiểm tra giấy tờ và thấy đủ",
        "write true: the officers have checked the documents and find them sufficient",
    ),
    "official": (
        "ghi true: có biên bản hoặc văn bản của cơ quan nhà nước",
        "write true: there is a report or paper of a state body",
    ),
    "geometry_digest": ("bỏ trống thì tính từ ranh giới", "computed from the geometry if left out"),
    "holder": (
        "cá nhân có hồ sơ căn cước; ngân hàng và tổ chức khác chưa đăng ký được",
        "a person with an identity; banks and other organizations cannot be registered yet",
    ),
    "evidence": (
        "SHA-256 của từng bản quét, hoặc thêm --scan TỆP khi chạy lệnh",
        "the SHA-256 of each scan, or --scan FILE with the command",
    ),
}
_CODES_LISTED_MAX: Final = 16


def empty_form(form_kind: FormKind, find_table: FindTable, today: str, language: Language) -> str:
    """Return an empty form as TOML text: required fields to fill, optional ones commented out.

    Args:
        form_kind: Which form.
        find_table: Code tables by name, for examples.
        today: ISO date, for examples of codes.
        language: Of the comments.
    """
    printer = _EmptyForm(FormReader(find_table, today, today, form_kind.article), language)
    operation, record_type = form_kind.operation, form_kind.record_type
    title = in_language(operation.title, language) or operation.name
    edits = bool(operation.writes) and not form_kind.creates
    lines = [
        f"# {in_language(record_type.title, language)}: {title} ({form_kind.kind})",
        f"# {printer.word('basis')}: {in_language(bases_words(operation.basis), language)}",
        f"# {printer.word('edit' if edits else 'head')}",
    ]
    created: list[str] = []
    for write, written in zip(operation.writes, form_kind.written, strict=True):
        fields = writable_fields(form_kind, write, written)
        if write.kind == "create":
            told = derived_names(form_kind.written[0], written)
            own = [spec for name, spec in fields.items() if name not in told]
            created += ["", f"# {in_language(written.title, language)}: {printer.word('copied')}"]
            created += printer.fields(own, f"created.{write.link}.", optional=False)
        else:
            lines += printer.fields(fields.values(), "", optional=edits)
            if written.holders == "required" and operation.may_write("holders"):
                fresh = form_kind.creates or "new_owners" in operation.signers.labels
                created += ["", *printer.holders(optional=not fresh)]
    lines += [*created, "", "[act]", *printer.scalars(_act_fields(form_kind), "act.")]
    for use in operation.objects:
        path = f"objects.{use.kind}"
        specs = [spec for spec in form_kind.objects[use.kind].values() if not spec.set_by_engine]
        if specs:
            needed = use.minimum > 0
            title = (
                f"# {in_language(object_words(use.kind), language)} ({printer.word('optional')})"
            )
            lines += ["", f"[[{path}]]"] if needed else ["", title, f"# [[{path}]]"]
            lines += printer.scalars(specs, f"{path}.", inside=not needed)
    return "\n".join(lines) + "\n"


def _act_fields(form_kind: FormKind) -> list[FieldSpec]:
    """Return the fields about the act itself, required where the operation asks for them.

    The date of the act is not asked for twice: where the subject has an `event_date`, that one is
    meant.
    """
    dated = any("event_date" in written.fields for written in form_kind.written[:1])
    return [
        spec
        for name, spec in act_fields(form_kind.operation).items()
        if not (dated and name == "event_date")
    ]


class _EmptyForm:
    """Prints the lines of an empty form."""

    def __init__(self, reader: FormReader, language: Language) -> None:
        self._reader = reader
        self._language: Language = language

    def word(self, name: str) -> str:
        return in_language(_WORDS[name], self._language)

    def fields(self, specs: Iterable[FieldSpec], path: str, *, optional: bool) -> list[str]:
        """Return scalars first, then a table for each group: the order that TOML needs."""
        listed = [replace(spec, required=spec.required and not optional) for spec in specs]
        lines = [f"[{path[:-1]}]"] if path else []
        lines += self.scalars([spec for spec in listed if spec.kind != "group"], path)
        for spec in listed:
            if spec.kind == "group":
                mark = "" if spec.required else "# "
                comment = self._comment(spec, path, "required" if spec.required else "optional")
                lines += ["", *comment, f"{mark}[{path}{spec.name}]"]
                lines += self.scalars(spec.parts, f"{path}{spec.name}.", inside=not spec.required)
        return lines

    def scalars(self, specs: Iterable[FieldSpec], path: str, *, inside: bool = False) -> list[str]:
        """Return the lines of fields; `inside` a group that may be left out nothing is open."""
        lines: list[str] = []
        for spec in specs:
            mark = "" if spec.required and not inside else "# "
            needed = ("in_group" if inside else "required") if spec.required else "optional"
            comment = self._comment(spec, path, needed)
            lines += ["", *comment, f"{mark}{spec.name} = {self._blank(spec, path)}"]
        return lines

    def holders(self, *, optional: bool) -> list[str]:
        """Return the table of one holder, to be repeated for each of them."""
        notes = self.word("optional" if optional else "required")
        mark = "# " if optional else ""
        return [
            f"# {self.word('holders')} ({notes})",
            f"{mark}[[holders]]",
            "",
            f'# {self.word("parties")} ({self.word("example")}: ["{EXAMPLE_ID}"])',
            f"{mark}parties = []",
            "",
            f"# {self.word('share')} ({self.word('example')}: 1/2)",
            f'{mark}share = "1/1"',
        ]

    def _blank(self, spec: FieldSpec, path: str) -> str:
        if spec.kind == "list" or spec.many:
            return "[]"
        quoted = '"' in self._reader.example(spec, f"{path}{spec.name}")
        return "''" if quoted else '""'

    def _comment(self, spec: FieldSpec, path: str, needed: str) -> list[str]:
        notes = [self.word(needed)]
        if spec.name in _NOTES and (path == "act." or spec.name not in ACT_FIELDS):
            notes.append(in_language(_NOTES[spec.name], self._language))
        if spec.visibility == "sealed":
            notes.append(self.word("sealed"))
        coded = spec.item if spec.kind == "list" and spec.item is not None else spec
        if coded.table is not None:
            notes.append(f"{self.word('table')} {coded.table}")
        if coded.choices:
            notes.append(f"{self.word('one_of')} {', '.join(coded.choices)}")
        example = "" if spec.kind == "group" else self._reader.example(spec, f"{path}{spec.name}")
        if example:
            notes.append(f"{self.word('example')}: {example}")
        title = in_language(spec.title, self._language) or spec.name
        return [f"# {title} ({'; '.join(notes)})", *self._codes(coded.table or "")]

    def _codes(self, name: str) -> list[str]:
        """Return the codes of a short table with their names; nothing for a long one."""
        table = self._reader.find_table(name)
        rows = [] if table is None else table.in_force(self._reader.today)
        if len(rows) > _CODES_LISTED_MAX:
            return []
        listed = ", ".join(f"{row.code} = {in_language(row.name, self._language)}" for row in rows)
        return textwrap.wrap(listed, 96, initial_indent="#   ", subsequent_indent="#   ")


def print_form(form_kind: FormKind, act: Act) -> str:
    """Return an act as a filled form, TOML text; reading it gives the same act.

    Args:
        form_kind: Of the act's kind.
        act: What to print; fields that the operation may not write are left out.
    """
    lines: list[str] = []
    later: list[str] = []
    operation = form_kind.operation
    for write, written, content in zip(
        operation.writes, form_kind.written, act.records, strict=True
    ):
        printed = _print_record(form_kind, write, written, content)
        if write.kind == "create":
            later += printed
        else:
            lines += printed
            if written.holders == "required" and operation.may_write("holders"):
                later += [line for holder in content.holders for line in _print_holder(holder)]
    lines += [*later, "[act]", *_print_act(act)]
    for made in act.objects:
        specs = form_kind.objects[made.kind]
        lines += [f"[[objects.{made.kind}]]", *_print_specs(specs, made.fields)]
    return "\n".join(lines) + "\n"


def _print_act(act: Act) -> list[str]:
    evidence = act.evidence
    values: dict[str, Value] = {
        "event_date": act.event_date,
        "received_on": act.received_on,
        "reason": act.reason,
        "legal_basis": act.legal_basis or None,
        "sufficient": evidence.sufficient or None,
        "official": evidence.official or None,
        "evidence": evidence.digests or None,
        "court_order": act.court_order,
    }
    return _print_specs(ACT_FIELDS, values)


def _print_record(
    form_kind: FormKind, write: Write, record_type: RecordType, content: RecordContent
) -> list[str]:
    prefix = f"created.{write.link}." if write.kind == "create" else ""
    scalars = [f"[{prefix[:-1]}]"] if prefix else []
    groups: list[str] = []
    for name, spec in writable_fields(form_kind, write, record_type).items():
        value: Value = content.member.get(name, content.links.get(name))
        if spec.visibility == "sealed" and spec.kind == "group":
            found = {part.name: content.sealed.get(f"{name}.{part.name}") for part in spec.parts}
            value = {part: given for part, given in found.items() if given is not None} or None
        elif spec.visibility == "sealed":
            value = content.sealed.get(name)
        if isinstance(value, dict) and spec.kind == "group":
            parts = {part.name: part for part in spec.parts}
            groups += [f"[{prefix}{name}]", *_print_specs(parts, value)]
        elif value is not None:
            scalars.append(f"{name} = {_print_scalar(spec, value)}")
    return [*scalars, *groups]


def _print_specs(specs: Mapping[str, FieldSpec], values: Mapping[str, Value]) -> list[str]:
    return [
        f"{name} = {_print_scalar(spec, values[name])}"
        for name, spec in specs.items()
        if values.get(name) is not None
    ]


def _print_holder(holder: Holder) -> list[str]:
    parties = ", ".join(_quoted(print_id(party)) for party in holder.parties)
    share = f'share = "{holder.numerator}/{holder.denominator}"'
    return ["[[holders]]", f"parties = [{parties}]", share]


def _print_scalar(spec: FieldSpec, value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return _quoted(print_id(value) if spec.kind == "link" else value.hex())
    if isinstance(value, tuple | list):
        item = spec.item or spec
        return f"[{', '.join(_print_scalar(item, each) for each in value)}]"
    if isinstance(value, dict):
        pairs = [f"{_quoted(key)} = {_print_scalar(spec, each)}" for key, each in value.items()]
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, int) and spec.kind == "decimal" and spec.decimals:
        whole, fraction = divmod(value, 10**spec.decimals)
        return f"{whole}.{fraction:0{spec.decimals}}"
    return str(value) if isinstance(value, int) else _quoted(str(value))


def _quoted(text: str) -> str:
    """Return a TOML basic string: JSON's escapes fit, and DEL needs one too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
