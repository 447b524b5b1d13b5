"""Form files as text: an empty form with comments in two languages, and an act as a filled form.

What `print_form` writes, `registry.forms` reads back as the same act.
"""

import json
from collections.abc import Iterable, Mapping

from ledger.canonical import Value
from ledger.ids import print_id
from ledger.parts import Holder
from registry.acts import Act, RecordContent
from registry.code_names import FindTable
from registry.field_specs import FieldSpec
from registry.form_kinds import FormKind
from registry.form_records import writable_fields
from registry.form_values import EXAMPLE_ID, FormReader
from registry.forms import ACT_FIELDS
from registry.problems import Language, in_language
from registry.schema import RecordType, Write

_WORDS: Mapping[str, tuple[str, str]] = {
    "required": ("bắt buộc", "required"),
    "optional": ("không bắt buộc", "optional"),
    "sealed": ("được niêm phong", "sealed"),
    "table": ("bảng mã", "code table"),
    "basis": ("căn cứ", "basis"),
    "example": ("ví dụ", "example"),
    "copied": (
        "Những gì hồ sơ trên đã ghi được chép sang, không cần ghi lại.",
        "What the record above says is copied and need not be written again.",
    ),
    "head": (
        "Điền giá trị sau dấu bằng; bỏ dấu thăng ở dòng không bắt buộc cần dùng.",
        "Fill in values after the equals signs; take the # from optional lines that you use.",
    ),
}


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
    lines = [
        f"# {in_language(record_type.title, language)}: {title} ({form_kind.kind})",
        f"# {printer.word('basis')}: {'; '.join(operation.basis)}",
        f"# {printer.word('head')}",
    ]
    created: list[str] = []
    for write, written in zip(operation.writes, form_kind.written, strict=True):
        fields = writable_fields(form_kind, write, written).values()
        if write.kind == "create":
            created += ["", f"# {in_language(written.title, language)}: {printer.word('copied')}"]
            created += printer.fields(fields, f"created.{write.link}.", optional=True)
        else:
            lines += printer.fields(fields, "", optional=not form_kind.creates)
            if written.holders == "required" and operation.may_write("holders"):
                created += ["", "[[holders]]", f'parties = ["{EXAMPLE_ID}"]', 'share = "1/1"']
    lines += [*created, "", "[act]", *printer.scalars(ACT_FIELDS.values(), optional=True)]
    for use in operation.objects:
        specs = [spec for spec in form_kind.objects[use.kind].values() if not spec.set_by_engine]
        if specs:
            lines += ["", f"[[objects.{use.kind}]]", *printer.scalars(specs, optional=False)]
    return "\n".join(lines) + "\n"


class _EmptyForm:
    """Prints the lines of an empty form."""

    def __init__(self, reader: FormReader, language: Language) -> None:
        self._reader = reader
        self._language: Language = language

    def word(self, name: str) -> str:
        return in_language(_WORDS[name], self._language)

    def fields(self, specs: Iterable[FieldSpec], path: str, *, optional: bool) -> list[str]:
        """Return scalars first, then a table for each group: the order that TOML needs."""
        listed = list(specs)
        plain = [spec for spec in listed if spec.kind != "group"]
        lines = [f"[{path[:-1]}]"] if path else []
        lines += self.scalars(plain, optional=optional)
        for spec in listed:
            if spec.kind == "group":
                needed = spec.required and not optional
                mark = "" if needed else "# "
                lines += ["", *self._comment(spec), f"{mark}[{path}{spec.name}]"]
                lines += self.scalars(spec.parts, optional=not needed)
        return lines

    def scalars(self, specs: Iterable[FieldSpec], *, optional: bool) -> list[str]:
        lines: list[str] = []
        for spec in specs:
            mark = "" if spec.required and not optional else "# "
            lines += ["", *self._comment(spec), f"{mark}{spec.name} = {self._blank(spec)}"]
        return lines

    def _blank(self, spec: FieldSpec) -> str:
        return "[]" if spec.kind == "list" or spec.many else '""'

    def _comment(self, spec: FieldSpec) -> list[str]:
        notes = [self.word("required" if spec.required else "optional")]
        if spec.visibility == "sealed":
            notes.append(self.word("sealed"))
        if spec.table is not None:
            notes.append(f"{self.word('table')} {spec.table}")
        example = self._reader.example(spec)
        if example:
            notes.append(f"{self.word('example')}: {example}")
        return [f"# {in_language(spec.title, self._language) or spec.name} ({'; '.join(notes)})"]


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
