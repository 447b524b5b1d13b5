"""`civreg verify`: is this document genuine? Offline; no server, no database, no account.

It loads only what checking needs, so that it starts at once.
"""

import base64
import binascii
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import click

from cli.commands import Command
from cli.document_checks import check_lines, check_values, error_values
from cli.document_status import (
    Currency,
    certificate_path,
    currency_by_node,
    currency_of_certificate,
    currency_of_state,
    facts_of,
    proof_path,
)
from cli.errors import InvalidInputError, NoSuchFileError, NoTrustBundleError
from cli.exit_codes import ExitCode
from cli.output import Context, accepted
from cli.verdicts import (
    EXIT_OF_WORD,
    Judgement,
    Word,
    judge_certificate,
    judge_receipt,
    read_receipt_of,
)
from keys.errors import CivregError
from ledger.errors import InvalidDataError
from ledger.receipt_form import RECEIPT_BYTES_MAX, Receipt
from ledger.trust import TRUST_BYTES_MAX, TrustBundle, parse_trust
from registry.civil_calendar import civil_date

TRUST_FILE: Final = "trust.civreg"
ANSWER_BYTES_MAX: Final = 64 * 1024
DOCUMENT_BYTES_MAX: Final = 2 * RECEIPT_BYTES_MAX

_CERTIFICATE_PREFIX: Final = b"\x95\x01\xabcertificate"
_RECEIPT_PREFIX: Final = b"\x9b\x01\xa7receipt"
_TEXT_CHARS: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_= \t\r\n"
)
_CIVIL_TIME: Final = timezone(timedelta(hours=7))
_PATH_MARKS: Final = ("/", "\\", ".")
_NAME_BYTES_MAX: Final = 255
"""Names of files are no longer than this, and no document is as short as this."""


@click.command(cls=Command)
@click.argument("document", metavar="FILE|-|TEXT")
@click.option(
    "--trust",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Trust bundle of the network; by default trust.civreg of the home folder.",
)
@click.option(
    "--status",
    metavar="FILE|URL",
    help="A state proof, or a node to ask for it: is what the document shows still in force?",
)
@click.pass_obj
def verify(context: Context, document: str, trust: Path | None, status: str | None) -> int:
    """Check a receipt or certificate offline and answer in one word, with every check.

    The document is a file, `-` for standard input, or its text in base64url. The exit status is 0
    only for GENUINE. Where --status learns nothing, what the document itself shows is told all the
    same, as CANNOT CHECK NOW, exit status 19.

    \b
    Example:
        civreg verify birth-0042.receipt --trust trust.civreg
        civreg verify - --json < birth-0042.receipt
        civreg verify child.certificate --status https://justice.example
    """
    raw = read_document(document)
    now_ms = time.time_ns() // 1_000_000
    bundle_path = trust or context.home / TRUST_FILE
    is_certificate = raw.startswith(_CERTIFICATE_PREFIX)
    if trust is None and not bundle_path.is_file():
        return _without_bundle(context, raw, is_certificate=is_certificate)
    bundle = parse_trust(read_bounded(bundle_path, TRUST_BYTES_MAX))
    judge = judge_certificate if is_certificate else judge_receipt
    judgement = judge(raw, bundle, now_ms)
    currency = failure = None
    if judgement.word is Word.GENUINE:
        assert judgement.receipt is not None, "a document that holds has a receipt"
        if is_certificate:
            currency = currency_of_certificate(judgement, now_ms)
        if status is not None:
            try:
                currency = _currency_at(status, judgement.receipt, bundle, now_ms)
            except CivregError as error:
                failure = error
    shown = _shown(judgement, bundle, currency, status)
    if failure is not None:
        shown |= _unanswered(context, judgement, currency, failure)
    return _answer(context, judgement, bundle, shown)


def _unanswered(
    context: Context, judgement: Judgement, alone: Currency | None, error: CivregError
) -> dict[str, object]:
    """Return what is shown of a document that holds, if nobody said whether it is in force.

    Args:
        context: For the language.
        judgement: That holds.
        alone: What a certificate says by its own dates; None of a receipt.
        error: Why the status is not known.
    """
    assert judgement.receipt is not None, "a document that holds has a receipt"
    registered = Currency(Word.GENUINE, civil_date(judgement.receipt.header.time_ms))
    offline = alone or registered
    # What has expired by its own date has expired, whatever a node would say.
    word = Word.EXPIRED if offline.word is Word.EXPIRED else Word.CANNOT_CHECK
    return {
        "in_force": word,
        "as_of": offline.as_of,
        "offline_word": offline.word,
        "status_error": error_values(context, error) | {"hint": context.say("verify.status_hint")},
    }


def _currency_at(source: str, receipt: Receipt, bundle: TrustBundle, now_ms: int) -> Currency:
    """Return whether a document is in force by a file, or a node.

    The node learns the certificate's id alone.
    """
    # Most documents ask nobody.
    from cli.plain_fetch import JSON, fetch, is_address  # noqa: PLC0415

    if not is_address(source):
        proof = read_bounded(Path(source), TRUST_BYTES_MAX)
        return currency_of_state(receipt, proof, bundle, now_ms)
    address = source.rstrip("/").removesuffix(proof_path(receipt))
    proof = fetch(address, proof_path(receipt), TRUST_BYTES_MAX)
    currency = currency_of_state(receipt, proof, bundle, now_ms)
    try:
        said = fetch(address, certificate_path(receipt), ANSWER_BYTES_MAX, JSON)
        return currency_by_node(currency, said)
    except CivregError:
        # The node's word could make it no better: what is proved to be over stays so without it.
        if currency.word in (Word.GENUINE, Word.CANNOT_CHECK):
            raise
        return currency


def read_document(document: str) -> bytes:
    """Return the bytes of a document: of a file, of standard input, or of base64url text.

    Raises:
        NoSuchFileError: It looks like the name of a file, and there is none.
        InvalidInputError: Over 2 MiB.
    """
    if document == "-":
        return _plain(_bounded(sys.stdin.buffer.read(DOCUMENT_BYTES_MAX + 1), "-"))
    path = Path(document)
    if _is_file(path):
        return _plain(read_bounded(path, DOCUMENT_BYTES_MAX))
    if any(mark in document for mark in _PATH_MARKS):
        raise NoSuchFileError("there is no such file", name=document)
    text = _bounded(document.encode("utf-8", "surrogateescape"), "TEXT")
    raw = _plain(text)
    if len(text) <= _NAME_BYTES_MAX and not raw.startswith((_CERTIFICATE_PREFIX, _RECEIPT_PREFIX)):
        raise NoSuchFileError("there is no such file", name=document)
    return raw


def read_bounded(path: Path, bytes_max: int) -> bytes:
    """Return the bytes of a file.

    Raises:
        NoSuchFileError: There is none.
        InvalidInputError: It is longer than allowed.
    """
    try:
        with path.open("rb") as file:
            return _bounded(file.read(bytes_max + 1), str(path), bytes_max)
    except FileNotFoundError as error:
        raise NoSuchFileError("there is no such file", name=str(path)) from error


def _is_file(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()  # a pipe of the shell is read too
    except (OSError, ValueError):  # Text too long, or impossible, as the name of a file.
        return False


def _bounded(raw: bytes, name: str, bytes_max: int = DOCUMENT_BYTES_MAX) -> bytes:
    if len(raw) > bytes_max:
        raise InvalidInputError(f"over {bytes_max} bytes", name=name)
    return raw


def _plain(raw: bytes) -> bytes:
    """Return the bytes that base64url text stands for; other bytes as they are."""
    if raw.startswith((_CERTIFICATE_PREFIX, _RECEIPT_PREFIX)) or not _TEXT_CHARS.issuperset(raw):
        return raw
    text = b"".join(raw.split()).rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return raw


def _without_bundle(context: Context, raw: bytes, *, is_certificate: bool) -> int:
    """Say that nothing can be checked, or that there is nothing to check."""
    error: CivregError = NoTrustBundleError("there is no trust bundle to check it by")
    word, name = Word.CANNOT_CHECK, "trust"
    try:
        read_receipt_of(raw, is_certificate=is_certificate)
    except InvalidDataError as refusal:
        word, name, error = Word.UNREADABLE, "form", refusal
    return _print(context, word, EXIT_OF_WORD[word], {}, [(name, error)])


def _shown(
    judgement: Judgement,
    bundle: TrustBundle,
    currency: Currency | None,
    asked: str | None,
) -> dict[str, object]:
    """Return what is proved by a document that holds, nothing of another."""
    if judgement.word is not Word.GENUINE:
        return {}
    shown = facts_of(judgement, bundle) | {"fields": dict(judgement.fields)}
    if currency is not None:
        shown |= {"in_force": currency.word, "as_of": currency.as_of}
    if asked is not None or currency is not None:
        shown["status_from"] = asked
    return shown


def _answer(
    context: Context, judgement: Judgement, bundle: TrustBundle, shown: dict[str, object]
) -> int:
    word, status = judgement.word, judgement.exit_code
    in_force = shown.get("in_force")
    if isinstance(in_force, Word):
        word, status = in_force, EXIT_OF_WORD[in_force]
    shown["network"] = bundle.network_id
    shown["trust_fingerprint"] = bundle.fingerprint
    shown["trust_newest_height"] = bundle.newest_height
    shown["trust_valid_until_ms"] = bundle.valid_until_ms
    return _print(context, word, status, shown, judgement.checks)


def _print(
    context: Context,
    word: Word,
    status: ExitCode,
    shown: Mapping[str, object],
    checks: Sequence[tuple[str, CivregError | None]],
) -> int:
    result = {
        "word": word,
        "exit": int(status),
        **shown,
        "checks": check_values(context, checks),
    }
    accepted(
        result,
        context,
        lines=[*_lines(context, word, shown), *check_lines(context, "verify.check", checks)],
    )
    return int(status)


def _lines(context: Context, word: Word, shown: Mapping[str, object]) -> list[str]:
    lines = [context.say(f"verify.word.{word.name.lower()}")]
    if word is Word.SIGNER_COMPROMISED:
        lines.append(context.say("verify.signer_compromised"))
    if "height" in shown:
        lines += _fact_lines(context, shown)
        if shown.get("fields") or "in_force" in shown:
            lines.append(context.say("verify.compare"))
        if "status_error" in shown:
            lines += _unanswered_lines(context, shown)
        elif "in_force" in shown and shown["in_force"] is not Word.GENUINE:
            lines.append(context.say("verify.was_genuine", date=shown["as_of"]))
        elif "in_force" in shown:
            key = "verify.in_force_alone" if shown["status_from"] is None else "verify.in_force"
            lines.append(context.say(key, date=shown["as_of"], source=shown["status_from"]))
    return lines


def _unanswered_lines(context: Context, shown: Mapping[str, object]) -> list[str]:
    offline, error = shown["offline_word"], shown["status_error"]
    assert isinstance(offline, Word), "made by _unanswered"
    assert isinstance(error, dict), "made by _unanswered"
    word = context.say(f"verify.word.{offline.name.lower()}")
    return [
        context.say("verify.offline", word=word, date=shown["as_of"]),
        context.say("verify.status_unknown", sentence=error["sentence"], code=error["code"]),
        f"  {error['hint']}",
    ]


def _fact_lines(context: Context, shown: Mapping[str, object]) -> list[str]:
    # The record types: only a person needs their words.
    from cli.document_words import act_words, field_lines  # noqa: PLC0415

    moment = datetime.fromtimestamp(int(str(shown["time_ms"])) / 1000, UTC).astimezone(_CIVIL_TIME)
    names = shown["signed_by"]
    assert isinstance(names, list), "made by facts_of"
    lines = [
        context.say(
            "verify.registered", time=moment.strftime("%Y-%m-%d %H:%M"), height=shown["height"]
        ),
        context.say(
            "verify.signed",
            signed=shown["agencies_signed"],
            agencies=shown["agencies"],
            names=", ".join(names),
        ),
    ]
    office, act = shown["office_name"] or shown["office"], shown["act"]
    for key, value in (
        *_certificate_words(context, shown),
        ("verify.act", None if act is None else act_words(str(act), context.lang)),
        ("verify.number", shown["registration_no"]),
        ("verify.office", office),
        ("verify.event_date", shown["event_date"]),
        ("verify.certificate", shown.get("certificate")),
        ("verify.expires_on", shown.get("expires_on")),
    ):
        if value is not None:
            lines.append(context.say(key, value=value))
    if shown.get("transcribed"):
        lines.append(context.say("verify.transcribed"))
    fields = shown["fields"]
    assert isinstance(fields, dict), "made by the judgement"
    day = str(shown["event_date"] or shown["date"])
    return lines + field_lines(context, str(shown.get("type") or ""), fields, day)


def _certificate_words(
    context: Context, shown: Mapping[str, object]
) -> list[tuple[str, str | None]]:
    """Say what kind of certificate it is, if it is one."""
    from cli.document_words import language_words, type_words  # noqa: PLC0415

    if "type" not in shown or "form" not in shown:
        return []
    form = str(shown["form"])
    known = {"original", "copy"}
    language = language_words(str(shown.get("language")), str(shown["date"]), context.lang)
    return [
        ("verify.type", type_words(str(shown["type"]), context.lang)),
        ("verify.form", context.say(f"verify.form.{form}") if form in known else form),
        ("verify.language", language),
    ]
