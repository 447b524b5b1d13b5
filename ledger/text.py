"""The frozen table of code points that text parsed by validators may use.

Whether a text is acceptable must be the same for every node and every interpreter for ever, so the
table is data in this file and nothing here asks `unicodedata`, `isalpha` or `casefold`: their
answers change from one Python to the next. Every character of the table is its own NFC form and
none of them combines with a neighbour, so text made of them is NFC by construction.

In the table: printable ASCII, precomposed Latin letters (all Vietnamese letters among them) and
the punctuation listed in `PUNCTUATION`. Not in it: combining marks, control characters (line feeds
too), characters that set the writing direction or have no width, and digits other than ASCII
digits. Changing the table is a new version of the format; a test freezes its digest.

Source: formats.md, section 1.
"""

import re
from typing import Final

from ledger.errors import NotCanonicalError

PUNCTUATION: Final = (
    "\u00a1\u00a7\u00ab\u00b7\u00bb\u00bf\u2013\u2014\u2018\u2019\u201c\u201d\u201e\u2026"
)
"""Beyond ASCII: inverted marks, section sign, middle dot, quotation marks, dashes, ellipsis."""

CODE_POINT_RANGES: Final = (
    (0x0020, 0x007E),  # printable ASCII
    (0x00C0, 0x00D6),  # Latin-1 Supplement: letters, without the multiplication sign
    (0x00D8, 0x00F6),  # ... and without the division sign
    (0x00F8, 0x00FF),
    (0x0100, 0x0131),  # Latin Extended-A: without the ligatures ij, the dotted l, 'n and the long s
    (0x0134, 0x013E),
    (0x0141, 0x0148),
    (0x014A, 0x017E),
    (0x01A0, 0x01A1),  # Latin Extended-B: O with horn
    (0x01AF, 0x01B0),  # U with horn
    (0x01CD, 0x01DC),  # letters with caron; U with two marks
    (0x01DE, 0x01E3),  # letters with macron
    (0x01E6, 0x01F0),  # letters with caron and ogonek
    (0x01F4, 0x01F5),  # G with acute
    (0x01F8, 0x021B),  # N with grave to T with comma below
    (0x021E, 0x021F),  # H with caron
    (0x0226, 0x0233),  # A with dot above to Y with macron
    (0x1E00, 0x1E99),  # Latin Extended Additional: without the letters made of the long s
    (0x1E9E, 0x1E9E),  # capital sharp s
    (0x1EA0, 0x1EF9),  # Vietnamese letters
    *((ord(mark), ord(mark)) for mark in PUNCTUATION),
)
"""First and last code point of each range, both included."""

_CLASS: Final = "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in CODE_POINT_RANGES)
_ALLOWED: Final = re.compile(f"[{_CLASS}]*")


def check_text(text: str) -> None:
    """Refuse a text with a character outside the table.

    Args:
        text: Any text; its length is the caller's to limit.

    Raises:
        NotCanonicalError: Names the first code point outside the table, never the text itself.

    Source: formats.md, section 1.
    """
    if text.isascii() and text.isprintable():
        return  # Of ASCII, exactly U+0020 ... U+007E are printable, in every version of Python.
    if _ALLOWED.fullmatch(text) is None:
        allowed = _ALLOWED.match(text)
        position = allowed.end() if allowed is not None else 0
        raise NotCanonicalError(
            f"the character U+{ord(text[position]):04X} is not in the table of allowed characters",
            code_point=ord(text[position]),
        )
