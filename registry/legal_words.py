"""How a legal basis is read out: entries and record types cite it in one short form.

    60/2014/QH13 art. 16.2     khoản 2 Điều 16 Luật số 60/2014/QH13
    123/2015/ND-CP art. 6.2    khoản 2 Điều 6 Nghị định số 123/2015/NĐ-CP
    60/2014/QH13 arts 69-72    các Điều 69-72 Luật số 60/2014/QH13

What has another form, such as what an office wrote itself, is read out as it stands.
"""

import re
from collections.abc import Iterable
from typing import Final

_CITED: Final = re.compile(
    r"(?P<number>[0-9]+/[0-9]{4}/(?P<issuer>[A-Z0-9-]+))"
    r"(?: (?:art\. (?P<article>[0-9]+)(?:\.(?P<clause>[0-9]+))?|arts (?P<articles>[0-9, -]+)))?"
)
_CODES: Final = frozenset({"91/2015/QH13"})
"""Laws that are codes: the Civil Code."""
_OTHERS: Final = {
    "Network agreement": "Thỏa thuận giữa các thành viên của mạng",
    "policy": "Quy định của mạng",
    "dated code table": "Bảng mã theo thời gian",
}
_BETWEEN: Final = "; "


def basis_words(basis: str) -> tuple[str, str]:
    """Return a legal basis, or several joined by `; `, in Vietnamese and English."""
    return _BETWEEN.join(_vietnamese(one) for one in basis.split(_BETWEEN)), basis


def bases_words(bases: Iterable[str]) -> tuple[str, str]:
    """Return several legal bases in Vietnamese and English, joined by `; `."""
    return basis_words(_BETWEEN.join(bases))


def _vietnamese(basis: str) -> str:
    found = _CITED.fullmatch(basis)
    if found is None:
        return _OTHERS.get(basis, basis)
    document = _document(found["number"], found["issuer"])
    if found["articles"]:
        return f"các Điều {found['articles']} {document}"
    if found["article"] is None:
        return document
    clause = f"khoản {found['clause']} " if found["clause"] else ""
    return f"{clause}Điều {found['article']} {document}"


def _document(number: str, issuer: str) -> str:
    """Return kind and number of a document, with the letters that the short form lacks."""
    if issuer.startswith("QH"):
        return f"{'Bộ luật' if number in _CODES else 'Luật'} số {number}"
    if issuer == "ND-CP":
        return f"Nghị định số {number.replace('ND-CP', 'NĐ-CP')}"
    return f"Thông tư số {number}" if issuer.startswith("TT") else number
