"""The second implementation, written from `docs/formats.md` on msgpack, ecdsa and hashlib only.

It exists so that nobody has to believe the node's code: a receipt, a certificate or a block that
one of the two accepts and the other refuses shows a fault in one of them or in the document. It
imports no floor, and of the floors only `cli.audit` imports it.

* `check_receipt`, `check_certificate`: one word and every check by its name;
* `check_evidence`: the same about a file that accuses validators;
* `read_light`, `check_light`: a header far ahead of a trusted one;
* `read_trust`, `check_block`: what an auditor's sample asks of single blocks.

`python -m verifier` is its command, for receipts and certificates.

Two limits, said aloud: the `ecdsa` package has no ML-DSA-65, so a signature of algorithm 4 gives
CANNOT CHECK NOW; and entries' signatures need the keys of the state, so a block is checked without
them, as a receipt is.
"""

from verifier.blocks import check_block
from verifier.evidence import check_evidence, examine_evidence
from verifier.light import check_light, read_light
from verifier.receipts import check_certificate, check_receipt, examine_receipt
from verifier.refusals import CannotCheckError, MismatchError, RefusedError, UnreadableError
from verifier.trust import Trust, read_trust
from verifier.verdicts import Check, Verdict, Word

__all__ = [
    "CannotCheckError",
    "Check",
    "MismatchError",
    "RefusedError",
    "Trust",
    "UnreadableError",
    "Verdict",
    "Word",
    "check_block",
    "check_certificate",
    "check_evidence",
    "check_light",
    "check_receipt",
    "examine_evidence",
    "examine_receipt",
    "read_light",
    "read_trust",
]
