"""The `detail:` line in Vietnamese: every sentence of this floor's errors has a translation."""

import ast
import errno
import os
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import cli
import consensus
import keys
import ledger
import node
import registry
from cli.details import MESSAGE_CHARS_MAX, detail_in, details_in
from cli.errors import InvalidInputError, NotFoundError
from cli.languages import catalogue
from cli.main import program
from cli.output import Context, refused
from keys.errors import BadSignatureError

FLOORS = tuple(
    Path(next(iter(floor.__path__))) for floor in (cli, consensus, keys, ledger, node, registry)
)
PLACE = re.compile(r"\{\w*\}")
OF_NO_PERSON = {
    "languages.py",  # faults of the catalogue itself
    "output.py: a result holds a {}, which JSON cannot show",
}
MESSAGE_NAMES = {"message", "reason"}
LETTERS_MIN = 4
"""A sentence with fewer letters of its own, such as `{}: {}`, would match anything."""


def sentence_of(node):
    """Return a literal message with `{}` for what is put into it, None if it is no literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            [str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values]
        )
    return None


def sentences():
    """Yield file and message of each error that civreg makes: nodes tell theirs to people too."""
    for path in sorted(path for floor in FLOORS for path in floor.glob("*.py")):
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.args:
                said = sentence_of(part.args[0])
                if part.func.id.endswith("Error") and said is not None:
                    yield path.name, said
            if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name):
                said = sentence_of(part.value)
                if part.targets[0].id in MESSAGE_NAMES and said is not None:
                    yield path.name, said


def is_told(name, said):
    own = re.sub(r"[^a-z]", "", PLACE.sub("", said))
    return (
        name not in OF_NO_PERSON
        and f"{name}: {said}" not in OF_NO_PERSON
        and len(own) >= LETTERS_MIN
    )


def test_every_sentence_of_an_error_is_told_in_vietnamese():
    known = {PLACE.sub("{}", text) for text in catalogue("vi").details}
    missing = sorted({said for name, said in sentences() if is_told(name, said)} - known)
    assert missing == [], "write them into cli/messages/vi/details.toml, or floor_details.toml"


def limits():
    """Yield the name of each limit that a value is checked against."""
    for path in sorted(path for floor in FLOORS for path in floor.glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            if ast.unparse(call.func) in {"check_limit", "check_work"}:
                yield sentence_of(call.args[0])
            yield from (sentence_of(word.value) for word in call.keywords if word.arg == "limit")


def test_every_limit_that_a_refusal_names_has_a_name_in_vietnamese():
    named = {name for name in limits() if name is not None and "{" not in name}
    assert len(named) > 50
    told = {name: details_in("vi", {"limit": name})["limit"] for name in named}
    assert sorted(name for name in named if told[name] == name) == []


def test_no_sentence_is_kept_that_nothing_says():
    """Sentences that are put together in a variable count too: their text stands in the code."""
    own = [path for floor in FLOORS for path in floor.glob("*.py")]
    files = [*own, *Path(click.__file__).parent.glob("*.py")]
    source = "".join(path.read_text(encoding="utf-8") for path in files)
    source += "".join(os.strerror(number) for number in errno.errorcode)
    plain = re.sub(r'"\s*\n\s*f?"', "", source).lower()
    for text in catalogue("vi").details:
        pieces = [piece for piece in PLACE.split(text) if len(piece) > 2 * LETTERS_MIN]
        assert all(piece.lower() in plain for piece in pieces), text


def test_both_sides_of_the_table_name_the_same_values():
    for text, translated in catalogue("vi").details.items():
        assert sorted(PLACE.findall(text)) == sorted(PLACE.findall(translated)), text
        assert len(set(PLACE.findall(text))) == len(PLACE.findall(text)), text


def test_a_sentence_of_few_words_makes_no_frame_for_english_clauses():
    assert detail_in("vi", "head.kind is not text") == "head.kind không phải văn bản"
    assert detail_in("vi", "the sky of today is not text") is None
    assert detail_in("vi", "what nobody wrote is after what nobody read") is None


def test_values_stand_in_their_places_and_sentences_in_sentences():
    said = detail_in("vi", "'x' is no id: over 7 bytes")
    assert said == "'x' không phải mã: hơn 7 byte"
    assert detail_in("vi", "there is no table 'a: b'; there are c, d") == (
        "không có bảng 'a: b'; có c, d"
    )
    assert detail_in("vi", "nobody has written this") is None


def raised(outer, cause):
    """Return an error that was raised because of another."""
    error = outer(f"genesis: {cause}", name="genesis")
    error.__cause__ = cause
    return error


def test_a_reason_that_has_no_translation_is_told_by_the_sentence_of_its_code(capsys):
    """Invariant: an English clause never stands in a Vietnamese sentence."""
    for cause, words in (
        (BadSignatureError("nobody has translated this"), "khởi nguyên: Chữ ký không"),
        (ValueError("Invalid value (at line 3, column 7)"), "cú pháp TOML ở dòng 3, cột 7"),
        (ValueError("Unclosed array (at end of document)"), "cú pháp TOML ở cuối tệp"),
    ):
        refused(raised(InvalidInputError, cause), Context(lang="vi"))
        said = capsys.readouterr().err
        assert words in said
        assert str(cause) not in said


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ({"term": "second_officer(approve)"}, "cán bộ thứ hai (phê duyệt)"),
        ({"role": "declare"}, "tiếp nhận (declare)"),
        ({"status": "registered"}, "đã đăng ký (registered)"),
        ({"flag": "locked"}, "đã khóa (locked)"),
        ({"reason": "the passphrase is empty"}, "mật khẩu rỗng"),
        ({"name": "x"}, "x"),
    ],
)
def test_codes_in_a_sentence_are_told_in_words(details, words):
    (name,) = details
    assert words in str(details_in("vi", details)[name])
    assert details_in("en", details) == details


@given(st.text(max_size=200))
def test_whatever_is_said_is_looked_up_without_a_fault(message):
    assert detail_in("en", message) is None
    found = detail_in("vi", f"genesis: {message}x")
    assert found is not None
    assert found.startswith("khởi nguyên: ")


def test_what_the_system_says_of_a_file_is_told_in_vietnamese(tmp_path):
    missing = str(tmp_path / "none")
    assert detail_in("vi", f"[Errno 2] {os.strerror(errno.ENOENT)}: '{missing}'") == (
        f"không có tệp hoặc thư mục này: '{missing}' [Errno 2]"
    )
    words = ["key", "show", "x", "--home", missing, "--lang", "vi"]
    shown = CliRunner().invoke(program, words).stderr
    assert "No such" not in shown


def test_a_very_long_message_is_not_looked_up():
    assert detail_in("vi", "genesis: " + "x" * MESSAGE_CHARS_MAX) is None


def test_a_mistyped_command_line_says_what_is_wrong_in_vietnamese(tmp_path):
    shown = CliRunner().invoke(program, ["audit", "replay", str(tmp_path / "no"), "--lang", "vi"])
    assert f"chi tiết: 'COPY': không có thư mục '{tmp_path / 'no'}'." in shown.stderr
    shown = CliRunner().invoke(program, ["demo", "--births", "two", "--lang", "vi"])
    assert "không phải số nguyên" in shown.stderr


@pytest.mark.parametrize(
    ("error", "english", "vietnamese"),
    [
        (InvalidInputError("the form changes nothing", name="identity/correct"),
         "detail: the form changes nothing", "chi tiết: biểu mẫu không thay đổi gì"),
        (NotFoundError("there is no office 'x'; known: justice, land", name="x"),
         "known: justice, land", "không có cơ quan 'x'; biết: justice, land"),
    ],
)  # fmt: skip
def test_the_detail_is_in_the_language_of_the_person(capsys, error, english, vietnamese):
    for context, words in ((Context(lang="en"), english), (Context(lang="vi"), vietnamese)):
        refused(error, context)
        assert words in capsys.readouterr().err
