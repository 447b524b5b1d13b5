"""What a person may write in a form beyond what the registry reads: names of offices, shown ids.

    --set path=value          over the form: --set phone=0901234567, --set act.sufficient=true
                              --set objects.certificate.form=copy

Where a field of an object holds 16 bytes (an office, a ballot, an agency), an office's or agency's
name of network.toml or an id as shown may stand instead of 32 hexadecimal digits; `public` may be
a did:key or the name of a key, which tells the algorithm too. In the `fields`
of a ballot, which are plain values, these stand as `office:NAME`, `agency:NAME`, `id:ID` or
`hex:DIGITS`.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cli.details import details_in
from cli.errors import BadParameterError, NotFoundError
from cli.hands import key_of, public_key_of
from cli.languages import LANGUAGES, error_text
from cli.network_view import NetworkView
from keys.errors import CivregError
from keys.hashing import sha256
from keys.signing import PublicKey
from ledger.errors import InvalidDataError
from ledger.ids import ID_BYTES, parse_id
from registry.field_specs import FieldSpec
from registry.form_kinds import FormKind
from registry.problems import FormError, Problem
from registry.schema import RecordType

PATH_PARTS_MAX: Final = 8
_WORDS: Final[Mapping[str, object]] = {"true": True, "false": False}


def prepare_form(
    raw: Mapping[str, object], settings: Sequence[str], form_kind: FormKind, view: NetworkView
) -> dict[str, Any]:
    """Return a form with settings put in and names turned into what the registry reads.

    Args:
        raw: As `registry.forms.parse_form_text` gives it; not changed.
        settings: `path=value` words.
        form_kind: Which form.
        view: For names of offices and agencies.

    Raises:
        BadParameterError: A word is malformed.
    """
    form: dict[str, Any] = copy.deepcopy(dict(raw))
    kinds = [use.kind for use in form_kind.operation.objects if use.minimum]
    for word in settings:
        path, equals, value = word.partition("=")
        if not equals or not path or path.count(".") >= PATH_PARTS_MAX:
            raise BadParameterError(f"--set {word!r} is not PATH=VALUE", name="--set")
        _put(form, path.split("."), _WORDS.get(value, value))
    if len(kinds) == 1 and "objects" not in form and not form_kind.operation.writes:
        _lift(form, kinds[0])
    objects = form.get("objects")
    if isinstance(objects, dict):
        for kind, listed in objects.items():
            specs = form_kind.objects.get(kind, {})
            for item in listed if isinstance(listed, list) else [listed]:
                if isinstance(item, dict):
                    _name_bytes(item, specs, view)
    return form


def add_scans(form: dict[str, Any], scans: Sequence[Path]) -> None:
    """Put the digests of scanned papers beside those that the form names.

    Args:
        form: As `prepare_form` gives it; changed.
        scans: Files, read whole.
    """
    act = form.setdefault("act", {})
    if not scans or not isinstance(act, dict):
        return
    written = act.get("evidence") or []
    listed = written if isinstance(written, list) else str(written).split(";")
    act["evidence"] = [*listed, *(sha256(scan.read_bytes()).hex() for scan in scans)]


def _put(form: dict[str, Any], path: Sequence[str], value: object) -> None:
    table = form
    for name in path[:-1]:
        below = table.setdefault(name, {})
        if not isinstance(below, dict):
            raise BadParameterError(f"--set: {name} is no group", name="--set")
        table = below
    table[path[-1]] = value


def _lift(form: dict[str, Any], kind: str) -> None:
    """Put the fields of an act that only makes one object where the registry looks for them."""
    own = {name: form.pop(name) for name in list(form) if name != "act"}
    if own:
        form["objects"] = {kind: [own]}


def _name_bytes(item: dict[str, Any], specs: Mapping[str, FieldSpec], view: NetworkView) -> None:
    _name_key(item, specs, view)
    for name, value in item.items():
        spec = specs.get(name)
        if spec is None:
            continue
        if spec.kind == "map":
            item[name] = _plain(value, view)
        elif spec.kind == "bytes" and spec.chars_max == ID_BYTES and isinstance(value, str):
            item[name] = _hexadecimal(value, view)
        elif spec.kind == "list" and spec.item is not None and spec.item.kind == "bytes":
            listed = value if isinstance(value, list) else [value]
            item[name] = [_hexadecimal(str(each), view) for each in listed]


def _name_key(item: dict[str, Any], specs: Mapping[str, FieldSpec], view: NetworkView) -> None:
    """Let `public` be a did:key or the name of a key, and `key_id` whatever names a key."""
    word = item.get("public")
    if {"public", "algorithm"} <= specs.keys() and isinstance(word, str):
        key = _public_key(word, view)
        if key is not None:
            item |= {"public": key.public.hex(), "algorithm": int(key.algorithm)}
    word = item.get("key_id")
    if "key_id" in specs and isinstance(word, str):
        item["key_id"] = key_of(view, word).hex()


def _public_key(word: str, view: NetworkView) -> PublicKey | None:
    try:
        return public_key_of(view, word)
    except NotFoundError:
        return None


def _hexadecimal(text: str, view: NetworkView) -> str:
    found = _identifier(text, view)
    return text if found is None else found.hex()


def _identifier(text: str, view: NetworkView) -> bytes | None:
    """Return the id that a name or a shown id means, or None."""
    for office in view.network.offices:
        if office.name == text:
            return office.office_id
    for node in view.network.nodes:
        if node.agency == text:
            return node.agency_id
    try:
        return parse_id(text)
    except InvalidDataError:
        return None


def _plain(value: object, view: NetworkView) -> object:
    """Return a plain value of the format: lists as tuples, `hex:`, `id:`, `office:` as bytes."""
    match value:
        case dict():
            return {str(name): _plain(below, view) for name, below in value.items()}
        case list():
            return tuple([_plain(below, view) for below in value])
        case str():
            return _word(value, view)
        case bool() | int() | bytes() | None:
            return value
        case _:
            return str(value)  # a date of TOML


def _word(text: str, view: NetworkView) -> str | bytes:
    mark, colon, rest = text.partition(":")
    if not colon:
        return text
    match mark:
        case "hex":
            try:
                return bytes.fromhex(rest)
            except ValueError as error:
                raise BadParameterError(f"{text!r} is no hexadecimal", name="fields") from error
        case "id":
            return parse_id(rest)
        case "office":
            return view.network.office(rest).office_id
        case "agency":
            return view.network.node_of(rest).agency_id
        case _:
            return text


def without_opening(error: FormError, record_type: RecordType, why: CivregError) -> FormError:
    """Return what is wrong with a form whose record did not open, and that it did not.

    What the form leaves out would have stayed, so that sealed fields are missing is no mistake.
    """
    vi, en = (
        error_text(language, why.code, details_in(language, why.details)).sentence
        for language in LANGUAGES
    )
    closed = Problem(
        field="ID",
        value="",
        rule="opened",
        sentence=(
            f"hồ sơ không mở được ở đây, nên những gì biểu mẫu bỏ trống không giữ lại được: {vi}",
            f"the record did not open here, so what the form leaves out cannot stay: {en}",
        ),
        article="",
        example="",
    )
    sealed = {path.partition(".")[0] for path in record_type.sealed_paths}
    others = [
        one
        for one in error.problems
        if one.rule != "required" or one.field.partition(".")[0] not in sealed
    ]
    return FormError(str(error), [closed, *others])
