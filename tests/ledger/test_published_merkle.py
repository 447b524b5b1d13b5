"""RFC 9162 proofs as published by transparency-dev: each must verify or be refused as it says."""

import base64

import pytest

from ledger.errors import InvalidProofError
from ledger.merkle import check_consistency, check_inclusion

DEVIATIONS = {
    "additional/sizes-are-equal-one-and-proof-is-empty.json": (
        "its two equal roots are 12 bytes long; a root has 32 bytes here, so it is refused"
    )
}


def unbase64(text):
    return base64.b64decode(text or "")


def accepted(check, *arguments):
    try:
        check(*arguments)
    except InvalidProofError:
        return False
    return True


def cases(vector_files, marker):
    found = [
        (name.partition("/")[2], case)
        for name, case in vector_files("merkle")
        if isinstance(case, dict) and marker in case
    ]
    if not found:
        pytest.skip(f"no merkle vectors with {marker}")
    return found


def test_inclusion_proofs_verify_exactly_where_they_should(vector_files, usual_vectors):
    found = cases(vector_files, "leafIdx")
    for name, case in found:
        path = [unbase64(digest) for digest in case["proof"] or []]
        leaf, root = unbase64(case["leafHash"]), unbase64(case["root"])
        good = accepted(check_inclusion, leaf, case["leafIdx"], case["treeSize"], path, root)
        assert good == (not case["wantErr"]), name
    if usual_vectors:
        assert len(found) == 98
        assert sum(not case["wantErr"] for _, case in found) == 6


def test_consistency_proofs_verify_exactly_where_they_should(vector_files, usual_vectors):
    found = cases(vector_files, "size1")
    differing = []
    for name, case in found:
        path = [unbase64(digest) for digest in case["proof"] or []]
        root1, root2 = unbase64(case["root1"]), unbase64(case["root2"])
        good = accepted(check_consistency, case["size1"], root1, case["size2"], root2, path)
        if good != (not case["wantErr"]):
            differing.append(name)
    assert set(differing) <= set(DEVIATIONS)
    if usual_vectors:
        assert differing == list(DEVIATIONS)
        assert len(found) == 98
        assert sum(not case["wantErr"] for _, case in found) == 6
