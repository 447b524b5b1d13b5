"""`python -m verifier`: judge a receipt or certificate by the second implementation alone.

The exit status is that of `civreg verify` without `--status`: 0 GENUINE, 6 UNREADABLE, 11, 14 or
18 FORGED (a bad signature, a missing quorum, else), 16 EXPIRED, 19 CANNOT CHECK NOW; 2 where the
command line is wrong and 3 where there is no such file.
"""

import argparse
import base64
import binascii
import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Final

from verifier.currency import currency_of
from verifier.receipts import (
    RECEIPT_BYTES_MAX,
    Receipt,
    check_certificate,
    examine_receipt,
    read_certificate,
    read_receipt,
)
from verifier.refusals import MismatchError, RefusedError, UnreadableError
from verifier.trust import TRUST_BYTES_MAX, Trust, read_trust
from verifier.verdicts import Verdict, Word

DOCUMENT_BYTES_MAX: Final = 2 * RECEIPT_BYTES_MAX
NOT_FOUND: Final = 3

_CERTIFICATE_PREFIX: Final = b"\x95\x01\xabcertificate"
_STATUS: Final[Mapping[Word, int]] = MappingProxyType(
    {
        Word.GENUINE: 0,
        Word.UNREADABLE: 6,
        Word.EXPIRED: 16,
        Word.FORGED: 18,
        Word.CANNOT_CHECK: 19,
    }
)
_STATUS_OF_FORGERY: Final[Mapping[str, int]] = MappingProxyType(
    {"quorum_signature": 11, "quorum_stranger": 14, "quorum_weight": 14}
)
_CIVIL_TIME: Final = timezone(timedelta(hours=7))


def main(words: Sequence[str] | None = None) -> int:
    """Judge the document that the command line names, and return the exit status."""
    given = _parser().parse_args(words)
    try:
        document = _read(given.document, DOCUMENT_BYTES_MAX)
        trust_raw = _read(given.trust, TRUST_BYTES_MAX)
    except OSError as error:
        sys.stderr.write(f"error: {error.filename}: {error.strerror}\n")
        return NOT_FOUND
    try:
        trust = read_trust(trust_raw)
    except RefusedError as error:
        sys.stderr.write(f"error: the trust bundle does not hold: {error} [{error.reason}]\n")
        is_bundle = not isinstance(error, UnreadableError)
        return _STATUS[Word.CANNOT_CHECK if is_bundle else Word.UNREADABLE]
    raw, now_ms = _plain(document), time.time_ns() // 1_000_000
    is_certificate = raw.startswith(_CERTIFICATE_PREFIX)
    verdict = (check_certificate if is_certificate else examine_receipt)(raw, trust, now_ms)
    if verdict.word is not Word.GENUINE:
        _write([verdict.word.value, *_check_lines(verdict, trust)])
        return _status_of(verdict)
    receipt = read_certificate(raw)[0] if is_certificate else read_receipt(raw)
    word = currency_of(receipt, now_ms) if is_certificate else Word.GENUINE
    _write([word.value, *_fact_lines(receipt, verdict), *_check_lines(verdict, trust)])
    return _STATUS[word]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m verifier",
        description="Judge a receipt or certificate offline, by the second implementation alone.",
        epilog="Exit status 0 only for GENUINE. Example: "
        "python -m verifier birth-0042.receipt --trust-bundle trust.civreg",
    )
    parser.add_argument("document", metavar="FILE|-", help="a receipt or certificate")
    parser.add_argument(
        "--trust-bundle",
        "--trust",
        dest="trust",
        metavar="FILE",
        required=True,
        help="trust bundle of the network; compare its fingerprint with an official source",
    )
    return parser


def _read(name: str, bytes_max: int) -> bytes:
    """Return the bytes of a file, or of standard input; one more than allowed where it is longer.

    Raises:
        OSError: There is no such file, or it may not be read.
    """
    if name == "-":
        return sys.stdin.buffer.read(bytes_max + 1)
    with Path(name).open("rb") as file:
        return file.read(bytes_max + 1)


def _plain(raw: bytes) -> bytes:
    """Return the bytes that base64url text stands for; other bytes as they are."""
    if b"+" in raw or b"/" in raw:
        return raw
    text = b"".join(raw.split()).rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return raw


def _status_of(verdict: Verdict) -> int:
    """Return the exit status of a word; a forgery has that of the first check that shows it."""
    failures = [one.failure for one in verdict.checks if isinstance(one.failure, MismatchError)]
    if verdict.word is Word.FORGED and failures:
        return _STATUS_OF_FORGERY.get(failures[0].reason, _STATUS[Word.FORGED])
    return _STATUS[verdict.word]


def _fact_lines(receipt: Receipt, verdict: Verdict) -> list[str]:
    header = receipt.certified.header
    moment = datetime.fromtimestamp(header.time_ms / 1000, UTC).astimezone(_CIVIL_TIME)
    return [
        f"registered: {moment:%Y-%m-%d %H:%M} (UTC+7), block {header.height}",
        *[f"  {_shown(path)}: {_shown(value)}" for path, value in verdict.fields.items()],
        "Nobody was asked whether it is still in force.",
    ]


def _shown(value: object) -> str:
    """Return a value as JSON: what a document holds must not steer anybody's terminal."""
    return json.dumps(value, ensure_ascii=False, default=lambda one: bytes(one).hex())


def _check_lines(verdict: Verdict, trust: Trust) -> list[str]:
    lines = [f"network: {trust.network_id.hex()}, trust fingerprint {trust.fingerprint}"]
    for check in verdict.checks:
        if check.failure is None:
            lines.append(f"  passed  {check.name}")
        else:
            lines.append(f"  FAILED  {check.name}: {check.failure} [{check.failure.reason}]")
    return lines


def _write(lines: Sequence[str]) -> None:
    sys.stdout.write("".join([f"{line}\n" for line in lines]))


if __name__ == "__main__":
    sys.exit(main())
