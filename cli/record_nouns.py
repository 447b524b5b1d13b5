"""`civreg birth`, `civreg identity`, `civreg land-title` ...: a verb for each operation of a type.

The verbs come from the record types that ship with the program, so a new operation needs no code
here. `_` is written `-`. A verb takes the id of a record where the operation is about one, then a
form file (TOML or JSON, `-` for stdin); single values can be given by --set.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from cli.access_options import access_options, access_wish
from cli.act_flow import Wanted, carry_out, record_id_of, write_again
from cli.certificate_files import SheetWish, read_digest_word
from cli.commands import Command, Group, context_of, write_help
from cli.errors import FileAccessError, InvalidInputError
from cli.hands import Wishes
from cli.passphrases import passphrase_options
from ledger.limits import check_limit
from registry.catalogue import type_text
from registry.certification import CERTIFICATE
from registry.explain_words import policy_words
from registry.form_values import EXAMPLE_ID
from registry.forms import FORM_BYTES_MAX
from registry.legal_words import bases_words
from registry.problems import Text, in_language
from registry.schema import NOTHING, Operation, RecordType
from registry.schema_reader import read_record_type

STDIN: Final = "-"
_SIDE: Final = "side"
_EXAMPLE_ID: Final = EXAMPLE_ID
_FILE = click.Path(path_type=Path, dir_okay=False)


class _VerbCommand(Command):
    """A verb whose words come from the record type, in both languages."""

    def __init__(self, *args: Any, words: Text, text_vi: str, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **settings)
        self.words, self.text_vi = words, text_vi

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the description in the language of the person."""
        if context_of(ctx).lang == "en":
            super().format_help_text(ctx, formatter)
            return
        write_help(ctx, formatter, self.text_vi, self.help or "")


class _NounGroup(Group):
    """A record type; its verbs are called what the record type calls them."""

    def __init__(self, *args: Any, words: Text, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **settings)
        self.words = words

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the description in the language of the person."""
        if context_of(ctx).lang == "en":
            super().format_help_text(ctx, formatter)
            return
        said = f"{self.words[0]}: mỗi nghiệp vụ của loại hồ sơ là một lệnh."
        write_help(ctx, formatter, said, self.help or "")

    def short_help_of(self, ctx: click.Context, name: str) -> str:
        """Return what the record type calls an operation."""
        command = self.get_command(ctx, name)
        if isinstance(command, _VerbCommand):
            return in_language(command.words, context_of(ctx).lang)
        return super().short_help_of(ctx, name)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a verb takes.

    Attributes:
        kind: `type/operation`.
        needs_record: Whether the id of a record comes first.
        may_record: Whether an id may be given by --record.
        enrols: Whether keys are enrolled.
        governs: Whether governance keys decide.
        certifies: Whether a certificate is made, of which a file may be written.
        opens: Whether the record's present values are needed, so that an officer reads them.
    """

    kind: str
    needs_record: bool
    may_record: bool
    enrols: bool
    governs: bool
    certifies: bool
    opens: bool


def noun(name: str, type_name: str = "") -> click.Command:
    """Return the command of a record type or class of acts, such as `land-title`.

    Args:
        name: What people type.
        type_name: The record type; empty if it is called like the command.
    """
    record_type = read_record_type(type_text(type_name or name.replace("-", "_")))
    verbs: dict[str, click.Command] = {}
    operations = dict(record_type.operations)
    if record_type.role == "record":
        side = read_record_type(type_text(_SIDE))
        operations = {**side.operations, **operations}
    for operation in operations.values():
        if operation.signers.text != "custodian":
            verb = operation.name.replace("_", "-")
            verbs[verb] = _verb(name, verb, record_type, operation)
    first = next(iter(verbs))
    return _NounGroup(
        name=name,
        commands=verbs,
        words=record_type.title,
        help=_group_help(name, first, record_type, verbs),
    )


def _group_help(
    name: str, first: str, record_type: RecordType, verbs: Mapping[str, click.Command]
) -> str:
    verb = next((verb for verb in ("register", "first-register", "create") if verb in verbs), first)
    return (
        f"{record_type.title[1]}: a verb for each operation that the record type has.\n\n"
        f"\b\nExample:\n    civreg {name} {verb} form.toml --dry-run\n"
    )


def _verb(
    type_name: str, verb: str, record_type: RecordType, operation: Operation
) -> click.Command:
    kind = f"{record_type.name}/{operation.name}"
    creates = NOTHING in operation.from_statuses
    about = operation.about == "record" if operation.side else not creates
    shape = _Shape(
        kind=kind,
        needs_record=about,
        may_record=not about and (len(operation.from_statuses) > 1 or operation.about != "none"),
        enrols=any(use.kind == "key" for use in operation.objects),
        governs="agency" in operation.signers.labels,
        certifies=any(use.kind == CERTIFICATE for use in operation.objects),
        opens=not operation.side and any(one != NOTHING for one in operation.from_statuses),
    )
    parameters: list[click.Parameter] = []
    if shape.needs_record:
        parameters.append(click.Argument(["record"], metavar="ID"))
    parameters.append(click.Argument(["form"], metavar="[FORM]", required=False))
    parameters += _options(shape)
    title = operation.title
    command = _VerbCommand(
        name=verb,
        words=(title[0] or operation.name, title[1] or operation.name),
        text_vi=_help_vi(type_name, verb, operation),
        params=parameters,
        callback=_callback(shape),
        help=_help(type_name, verb, operation, shape),
        short_help=operation.title[1] or operation.name,
        changes=True,
    )
    return passphrase_options(command)


def _options(shape: _Shape) -> list[click.Parameter]:
    found: list[click.Parameter] = [
        click.Option(["--set", "settings"], multiple=True, metavar="PATH=VALUE",
                     help="A value over the form: a field's name, group.part, act.NAME, "
                          "created.NAME.field or objects.NAME.field; several times."),
        click.Option(["--as", "terms"], multiple=True, metavar="TERM=WHO",
                     help="Who signs for a term, such as second_officer=justice-2."),
        click.Option(["--auth", "asker"], metavar="NAME", default="",
                     help="Whose auth key signs the requests to nodes."),
        click.Option(["--draft"], type=_FILE,
                     help="Write a draft here when signatures are missing."),
    ]  # fmt: skip
    if shape.may_record:
        found.append(
            click.Option(["--record"], metavar="ID", help="The record that the act continues.")
        )
    if shape.enrols:
        found.append(
            click.Option(["--enrol"], metavar="NAME", multiple=True,
                         help="Enrol NAME-sign, NAME-auth, NAME-seal; or PURPOSE=did:key.")
        )  # fmt: skip
    if shape.governs:
        found.append(
            click.Option(["--agency"], metavar="NAME", default="",
                         help="Whose governance keys decide.")
        )  # fmt: skip
        return found
    return [
        *found,
        *(_sheet_options() if shape.certifies else ()),
        *(access_options(may_state=shape.opens) if shape.opens or shape.certifies else ()),
        click.Option(["--office"], metavar="NAME", default="", help="The office that acts."),
        click.Option(["--person", "persons"], multiple=True, metavar="ID=WHO",
                     help="With which key a person of the ledger signs."),
        click.Option(["--custody"], multiple=True, metavar="ID=OFFICER,OFFICER",
                     help="Two officers attest the paper of a person without a key."),
        click.Option(["--paper"], type=click.Path(path_type=Path, dir_okay=False, exists=True),
                     help="The scan of the paper behind --custody."),
        click.Option(["--scan", "scans"], multiple=True,
                     type=click.Path(path_type=Path, dir_okay=False, exists=True),
                     help="A scan of a paper that proves it; its SHA-256 goes to act.evidence."),
    ]  # fmt: skip


def _sheet_options() -> list[click.Parameter]:
    return [
        click.Option(["--out"], type=_FILE, help="Write the certificate here, to be verified."),
        click.Option(["--fields"], metavar="NAME,NAME", default="",
                     help="Which fields to show; by default all that are printed."),
        click.Option(["--recipient"], default="", help="For whom; only the file says it."),
        click.Option(["--purpose"], default="", help="What for; only the file says it."),
        click.Option(["--of", "certified"], metavar="ENTRY", default="",
                     help="Register nothing: write the file of this certify entry again."),
    ]  # fmt: skip


def _sheet_wish(given: dict[str, Any]) -> SheetWish | None:
    """Return what file is wanted.

    Raises:
        InvalidInputError: Something is said about a file, and none is named.
    """
    said = [name for name in ("fields", "recipient", "purpose", "certified") if given.get(name)]
    if given.get("out") is None:
        if said:
            raise InvalidInputError("name the file of the certificate", name="--out")
        return None
    word = given["certified"]
    return SheetWish(
        out=given["out"],
        fields=tuple([name.strip() for name in given["fields"].split(",") if name.strip()]),
        recipient=given["recipient"],
        purpose=given["purpose"],
        entry=read_digest_word(word, "--of") if word else None,
    )


def _callback(shape: _Shape) -> Callable[..., int]:
    @click.pass_context
    def act(ctx: click.Context, /, **given: Any) -> int:  # noqa: ANN401 - click's own types
        record = given.get("record")
        wanted = Wanted(
            kind=shape.kind,
            form=read_form_file(given["form"]),
            settings=given["settings"],
            record_id=None if not record else record_id_of(record),
            office=given.get("office") or "",
            wishes=Wishes(
                terms=given["terms"],
                persons=given.get("persons") or (),
                custody=given.get("custody") or (),
                paper=given.get("paper"),
                agency=given.get("agency") or "",
            ),
            asker=given["asker"],
            draft=given["draft"],
            scans=given.get("scans") or (),
            enrol=given.get("enrol") or (),
            sheet=_sheet_wish(given),
            access=access_wish(given),
        )
        if wanted.sheet is not None and wanted.sheet.entry is not None:
            return write_again(context_of(ctx), wanted)
        return carry_out(context_of(ctx), wanted)

    return act


def read_form_file(name: str | None) -> str:
    """Return the text of a form file, of stdin for `-`, empty for none.

    Raises:
        FileAccessError: It is no UTF-8.
        LimitExceededError: It is over 256 KiB.
    """
    if name is None:
        return ""
    with click.open_file(name, "rb") as stream:
        raw: bytes = stream.read(FORM_BYTES_MAX + 1)
    check_limit("form bytes", len(raw), FORM_BYTES_MAX)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = "the form is no UTF-8 text"
        raise FileAccessError(reason, name=name, reason=reason) from error


def _help(type_name: str, verb: str, operation: Operation, shape: _Shape) -> str:
    title = operation.title[1] or operation.name
    words = ["civreg", type_name, verb]
    if shape.needs_record:
        words.append(_EXAMPLE_ID)
    if shape.enrols:
        words.append("--enrol lan")
    elif shape.certifies:
        words.append("--out child.certificate")
    elif _takes_form(operation):
        words.append("form.toml")
    example = " ".join(words)
    return (
        f"{title}.\n\n"
        f"Signers: {operation.signers.text}. Basis: {'; '.join(operation.basis)}.\n\n"
        f"`civreg form {type_name} {verb}` prints an empty form.\n\n"
        f"\b\nExample:\n    {example} --dry-run\n"
    )


def _help_vi(type_name: str, verb: str, operation: Operation) -> str:
    names = sorted({label.partition("(")[0] for label in operation.signers.labels})
    terms = ", ".join(f"`{name}`" for name in names)
    return (
        f"{operation.title[0] or operation.name}.\n\n"
        f"Người ký: {policy_words(operation.signers.text)[0]}. Tên các vai ở --as: {terms}. "
        f"Căn cứ: {bases_words(operation.basis)[0]}.\n\n"
        f"`civreg form {type_name} {verb}` in một biểu mẫu trống."
    )


def _takes_form(operation: Operation) -> bool:
    return bool(operation.writes) or bool(operation.objects)
