"""Letters and dashes that a claim takes for one another, so that a lookalike makes no second title.

Of the code points that a text in clear may have (`ledger.text`): small letters are their capitals,
each dash is a hyphen, and the Icelandic eth is the Vietnamese D with stroke, which looks the same.
The table is data: `str.upper` changes with the interpreter, and two honest nodes would differ.

Not folded, for they stand for different things in real numbers: letters with and without marks,
`O` and `0`, `I`, `l` and `1`, a hyphen and none, quotation marks, dots, an ellipsis. Sharp s, kra
and the few small letters that have no capital of one character stay as they are.

Source: records.md, section 2.3.
"""

from typing import Final

_CAPITAL_BEFORE: Final = (
    (0x0101, 0x012F),
    (0x0135, 0x0137),
    (0x013A, 0x013E),
    (0x0142, 0x0148),
    (0x014B, 0x0177),
    (0x017A, 0x017E),
    (0x01A1, 0x01A1),
    (0x01B0, 0x01B0),
    (0x01CE, 0x01DC),
    (0x01DF, 0x01E3),
    (0x01E7, 0x01EF),
    (0x01F5, 0x01F5),
    (0x01F9, 0x021B),
    (0x021F, 0x021F),
    (0x0227, 0x0233),
    (0x1E01, 0x1E95),
    (0x1EA1, 0x1EF9),
)
"""First and last small letter of ranges in which capital and small letter take turns."""
_CAPITAL_32_BEFORE: Final = ((0x0061, 0x007A), (0x00E0, 0x00F6), (0x00F8, 0x00FE))
_D_WITH_STROKE: Final = 0x0110
_HYPHEN: Final = 0x002D

FOLDED: Final[dict[int, int]] = {
    **{at: at - 1 for first, last in _CAPITAL_BEFORE for at in range(first, last + 1, 2)},
    **{at: at - 32 for first, last in _CAPITAL_32_BEFORE for at in range(first, last + 1)},
    0x00FF: 0x0178,  # y with two dots
    0x0131: 0x0049,  # dotless i
    0x00D0: _D_WITH_STROKE,  # eth
    0x00F0: _D_WITH_STROKE,
    0x2013: _HYPHEN,  # en dash
    0x2014: _HYPHEN,  # em dash
}
"""Code point -> the one that a claim has instead, for `str.translate`."""
