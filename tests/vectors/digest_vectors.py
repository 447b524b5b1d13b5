"""Frozen vectors of digests of things outside the chain: keys, papers, the reason of an access."""

from typing import Any, Final

from cli.accesses import digest_of
from cli.hands import form_digest
from keys.signing import Algorithm, SoftwareKey
from tests.networks import seed

PAPER: Final = b"%PDF-1.7 a scanned form, whole"
WHY: Final = (
    ("birth/correct", ("60/2014/QH13 Điều 28", "123/2015/NĐ-CP Điều 7")),
    ("inspection", ()),
)


def digest_vectors() -> dict[str, Any]:
    return {
        "keys": [_key_vector(algorithm) for algorithm in Algorithm],
        "act_form": {"paper": PAPER.hex(), "digest": form_digest(PAPER).hex()},
        "access_why": [_why_vector(purpose, basis) for purpose, basis in WHY],
    }


def _key_vector(algorithm: Algorithm) -> dict[str, Any]:
    private = seed("key of algorithm", int(algorithm))
    public = SoftwareKey.from_private_bytes(algorithm, private).public
    return {
        "algorithm": int(algorithm),
        "private": private.hex(),
        "public": public.public.hex(),
        "key_id": public.key_id.hex(),
    }


def _why_vector(purpose: str, legal_basis: tuple[str, ...]) -> dict[str, Any]:
    salt = seed("why", purpose)
    return {
        "salt": salt.hex(),
        "purpose": purpose,
        "legal_basis": list(legal_basis),
        "digest": digest_of(salt, purpose, legal_basis).hex(),
    }
