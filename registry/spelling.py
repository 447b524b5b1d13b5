"""Letters for comparison and composition, from a frozen table: nothing asks `unicodedata`.

Two persons may spell one name with and without marks, in one of two Unicode forms, or with the
tone mark on another vowel. `compose` gives text its one precomposed form (Unicode NFC) for the
letters of the table in `ledger.text`; `fold` takes the marks away, for comparison only: what is
stored is never folded.

Source: The Unicode Character Database, canonical decompositions of the letters in `ledger.text`; a
test compares with the interpreter's.
"""

from typing import Final

LETTERS_BY_MARKS: Final = (
    ("\u0300", "AÀ EÈ IÌ OÒ UÙ aà eè iì oò uù NǸ nǹ WẀ wẁ YỲ yỳ"),
    (
        "\u0301",
        "AÁ EÉ IÍ OÓ UÚ YÝ aá eé ií oó uú yý CĆ cć LĹ lĺ NŃ nń RŔ rŕ "
        "SŚ sś ZŹ zź GǴ gǵ ÆǼ æǽ ØǾ øǿ KḰ kḱ MḾ mḿ PṔ pṕ WẂ wẃ",
    ),
    ("\u0301\u0307", "SṤ sṥ"),
    (
        "\u0302",
        "AÂ EÊ IÎ OÔ UÛ aâ eê iî oô uû CĈ cĉ GĜ gĝ HĤ hĥ JĴ jĵ SŜ sŝ WŴ wŵ YŶ yŷ ZẐ zẑ",
    ),
    ("\u0302\u0300", "AẦ aầ EỀ eề OỒ oồ"),
    ("\u0302\u0301", "AẤ aấ EẾ eế OỐ oố"),
    ("\u0302\u0303", "AẪ aẫ EỄ eễ OỖ oỗ"),
    ("\u0302\u0309", "AẨ aẩ EỂ eể OỔ oổ"),
    ("\u0303", "AÃ NÑ OÕ aã nñ oõ IĨ iĩ UŨ uũ VṼ vṽ EẼ eẽ YỸ yỹ"),
    ("\u0303\u0301", "OṌ oṍ UṸ uṹ"),
    ("\u0303\u0304", "OȬ oȭ"),
    ("\u0303\u0308", "OṎ oṏ"),
    ("\u0304", "AĀ aā EĒ eē IĪ iī OŌ oō UŪ uū ÆǢ æǣ YȲ yȳ GḠ gḡ"),
    ("\u0304\u0300", "EḔ eḕ OṐ oṑ"),
    ("\u0304\u0301", "EḖ eḗ OṒ oṓ"),
    ("\u0304\u0308", "UṺ uṻ"),
    ("\u0306", "AĂ aă EĔ eĕ GĞ gğ IĬ iĭ OŎ oŏ UŬ uŭ"),
    ("\u0306\u0300", "AẰ aằ"),
    ("\u0306\u0301", "AẮ aắ"),
    ("\u0306\u0303", "AẴ aẵ"),
    ("\u0306\u0309", "AẲ aẳ"),
    (
        "\u0307",
        "CĊ cċ EĖ eė GĠ gġ Iİ ZŻ zż AȦ aȧ OȮ oȯ BḂ bḃ DḊ dḋ FḞ fḟ HḢ "
        "hḣ MṀ mṁ NṄ nṅ PṖ pṗ RṘ rṙ SṠ sṡ TṪ tṫ WẆ wẇ XẊ xẋ YẎ yẏ",
    ),
    ("\u0307\u0304", "AǠ aǡ OȰ oȱ"),
    ("\u0308", "AÄ EË IÏ OÖ UÜ aä eë iï oö uü yÿ YŸ HḦ hḧ WẄ wẅ XẌ xẍ tẗ"),
    ("\u0308\u0300", "UǛ uǜ"),
    ("\u0308\u0301", "UǗ uǘ IḮ iḯ"),
    ("\u0308\u0304", "UǕ uǖ AǞ aǟ OȪ oȫ"),
    ("\u0308\u030c", "UǙ uǚ"),
    ("\u0309", "AẢ aả EẺ eẻ IỈ iỉ OỎ oỏ UỦ uủ YỶ yỷ"),
    ("\u030a", "AÅ aå UŮ uů wẘ yẙ"),
    ("\u030a\u0301", "AǺ aǻ"),
    ("\u030b", "OŐ oő UŰ uű"),
    (
        "\u030c",
        "CČ cč DĎ dď EĚ eě LĽ lľ NŇ nň RŘ rř SŠ sš TŤ tť ZŽ zž AǍ aǎ "
        "IǏ iǐ OǑ oǒ UǓ uǔ GǦ gǧ KǨ kǩ ƷǮ ʒǯ jǰ HȞ hȟ",
    ),
    ("\u030c\u0307", "SṦ sṧ"),
    ("\u030f", "AȀ aȁ EȄ eȅ IȈ iȉ OȌ oȍ RȐ rȑ UȔ uȕ"),
    ("\u0311", "AȂ aȃ EȆ eȇ IȊ iȋ OȎ oȏ RȒ rȓ UȖ uȗ"),
    ("\u031b", "OƠ oơ UƯ uư"),
    ("\u031b\u0300", "OỜ oờ UỪ uừ"),
    ("\u031b\u0301", "OỚ oớ UỨ uứ"),
    ("\u031b\u0303", "OỠ oỡ UỮ uữ"),
    ("\u031b\u0309", "OỞ oở UỬ uử"),
    ("\u031b\u0323", "OỢ oợ UỰ uự"),
    (
        "\u0323",
        "BḄ bḅ DḌ dḍ HḤ hḥ KḲ kḳ LḶ lḷ MṂ mṃ NṆ nṇ RṚ rṛ SṢ sṣ TṬ tṭ "
        "VṾ vṿ WẈ wẉ ZẒ zẓ AẠ aạ EẸ eẹ IỊ iị OỌ oọ UỤ uụ YỴ yỵ",
    ),
    ("\u0323\u0302", "AẬ aậ EỆ eệ OỘ oộ"),
    ("\u0323\u0304", "LḸ lḹ RṜ rṝ"),
    ("\u0323\u0306", "AẶ aặ"),
    ("\u0323\u0307", "SṨ sṩ"),
    ("\u0324", "UṲ uṳ"),
    ("\u0325", "AḀ aḁ"),
    ("\u0326", "SȘ sș TȚ tț"),
    (
        "\u0327",
        "CÇ cç GĢ gģ KĶ kķ LĻ lļ NŅ nņ RŖ rŗ SŞ sş TŢ tţ EȨ eȩ DḐ dḑ HḨ hḩ",
    ),
    ("\u0327\u0301", "CḈ cḉ"),
    ("\u0327\u0306", "EḜ eḝ"),
    ("\u0328", "AĄ aą EĘ eę IĮ iį UŲ uų OǪ oǫ"),
    ("\u0328\u0304", "OǬ oǭ"),
    ("\u032d", "DḒ dḓ EḘ eḙ LḼ lḽ NṊ nṋ TṰ tṱ UṶ uṷ"),
    ("\u032e", "HḪ hḫ"),
    ("\u0330", "EḚ eḛ IḬ iḭ UṴ uṵ"),
    ("\u0331", "BḆ bḇ DḎ dḏ KḴ kḵ LḺ lḻ NṈ nṉ RṞ rṟ TṮ tṯ ZẔ zẕ hẖ"),
)
"""Combining marks in canonical order, and pairs of a base letter and the letter that both make."""

MARK_CLASSES: Final = {
    202: "\u0327\u0328",
    216: "\u031b",
    220: "\u0323\u0324\u0325\u0326\u032d\u032e\u0330\u0331",
    230: "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u0309\u030a\u030b\u030c\u030f\u0311",
}
"""Canonical combining class -> the marks of that class."""

SPECIAL_LETTERS: Final = {
    "Æ": "ae", "æ": "ae", "Ð": "d", "ð": "d", "Đ": "d", "đ": "d", "Ø": "o", "ø": "o",
    "Þ": "th", "þ": "th", "ß": "ss", "ẞ": "ss", "Ħ": "h", "ħ": "h", "\u0131": "i", "ĸ": "k",
    "Ł": "l", "ł": "l", "Ŋ": "n", "ŋ": "n", "Œ": "oe", "œ": "oe", "Ŧ": "t", "ŧ": "t",
    "\u01b7": "z", "\u0292": "z",
}  # fmt: skip
"""Letters that no mark explains, and what they are compared as."""

_ASCII_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CLASS_OF_MARK: Final = {mark: order for order, marks in MARK_CLASSES.items() for mark in marks}


def _decompositions() -> dict[str, str]:
    return {
        pair[1]: pair[0] + marks for marks, pairs in LETTERS_BY_MARKS for pair in pairs.split(" ")
    }


_DECOMPOSED: Final = _decompositions()
_COMPOSED: Final = {parts: letter for letter, parts in _DECOMPOSED.items()}


def _folded_letters() -> dict[str, str]:
    folded = {letter: letter.lower() for letter in _ASCII_LETTERS} | SPECIAL_LETTERS
    for letter, parts in _DECOMPOSED.items():
        folded[letter] = folded[parts[0]]
    return folded


_FOLDED: Final = _folded_letters()
LETTERS: Final = frozenset(_FOLDED)
"""Every letter that a name may have."""

_FOLD_TABLE: Final = str.maketrans(_FOLDED | dict.fromkeys(_CLASS_OF_MARK, ""))


def compose(text: str) -> str:
    """Return a text with base letters and their combining marks put together (NFC).

    Args:
        text: Any text. Characters that the table does not know stay as they are.

    Returns:
        For text of the table's letters and marks exactly its Unicode NFC form.

    Source: Unicode Standard Annex 15.
    """
    if text.isascii() or not any(character in _CLASS_OF_MARK for character in text):
        return text
    composed: list[str] = []
    position = 0
    while position < len(text):
        end = position + 1
        while end < len(text) and text[end] in _CLASS_OF_MARK:
            end += 1
        composed.append(_compose_cluster(text[position], text[position + 1 : end]))
        position = end
    return "".join(composed)


def _compose_cluster(base: str, marks: str) -> str:
    """Compose one base character and its marks: canonical order, then the longest known pairs."""
    if not marks:
        return base
    if base in _CLASS_OF_MARK:  # text that begins with a mark: nothing to compose with
        return "".join(sorted(base + marks, key=lambda mark: _CLASS_OF_MARK[mark]))
    parts = _DECOMPOSED.get(base, base)
    letter, rest = parts[0], parts[1:] + marks
    ordered = sorted(rest, key=lambda mark: _CLASS_OF_MARK[mark])
    left: list[str] = []
    blocked = 0
    for mark in ordered:
        order = _CLASS_OF_MARK[mark]
        together = _COMPOSED.get(_DECOMPOSED.get(letter, letter) + mark)
        if together is not None and blocked < order:
            letter = together
        else:
            left.append(mark)
            blocked = order
    return letter + "".join(left)


def fold(text: str) -> str:
    """Return a text for comparison: without marks, ASCII letters in lower case.

    Args:
        text: Any text; characters that the table does not know stay as they are.
    """
    return text.translate(_FOLD_TABLE)


def name_tokens(name: str) -> tuple[str, ...]:
    """Return the folded words of a name in ascending order: their order is ignored.

    Hyphens, apostrophes, dots and commas part words.
    """
    return tuple(sorted(fold(name).translate(_WORD_ENDS).split()))


_WORD_ENDS: Final = str.maketrans("-'\u2018\u2019.,", "      ")
