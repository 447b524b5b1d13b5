"""Nothing that people read under `--lang vi` is English: help, catalogue, laws, questions.

A sentence of English does without few of the words below, and Vietnamese has none of them. What is
the same in both languages is left out: commands, names of values and options, what stands between
backticks, addresses, examples.
"""

import re
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.commands import NOUNS
from cli.errors import CancelledError
from cli.languages import LANGUAGES, catalogue
from cli.main import program
from cli.output import Context, confirm
from registry import catalogue as types
from registry.explain_words import policy_words
from registry.legal_words import basis_words
from registry.rule_pack import PACK_TEXT
from registry.schema_reader import read_record_type

WORD = re.compile(r"[^\W\d_]+")
ENGLISH = frozenset(
    WORD.findall(
        "the of and or with without from which who whose this that these those are is was were be "
        "been for by not than into its it they their there has have had does must may should would "
        "if when where what how each every all any only other another same more less over under "
        "after before between again also then example default required signer signers basis usage "
        "options commands rows row file files key keys name names record records office officer "
        "agency art arts error hint detail line column value law"
    )
)
ALIKE = re.compile(
    r"`[^`]*`|\{[^}]*\}|--?[a-z][a-z-]*|[A-Za-z_]+\.[A-Za-z_.]+|\b[a-z_]+/[a-z_]+|[a-z]+(?:[_-][a-z]+)+"
    r"|did:key|^[a-z_]+:|\bthư mục keys\b|\bkeys/|“[^”]*”"
    r"|https?:\S+|'[^']*'|\"[^\"]*\"|<[^>]*>"
)


def english_in(text):
    """Return the English words of a Vietnamese text."""
    return [word for word in WORD.findall(ALIKE.sub(" ", text)) if word in ENGLISH]


def test_the_catalogue_has_no_english_in_vietnamese():
    vi = catalogue("vi")
    said = {**vi.texts, **vi.help, **vi.details}
    for code, words in vi.errors.items():
        said[code] = f"{words.sentence} {words.hint}"
    assert {key: found for key, text in said.items() if (found := english_in(text))} == {}


def commands(group, path=()):
    """Yield every command with the words that name it."""
    yield path, group
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


PATHS = [path for path, _command in commands(program)]


@pytest.mark.parametrize("noun", ["", *sorted(NOUNS)])
def test_no_help_page_has_english_in_vietnamese(noun):
    for path in PATHS:
        if path[:1] != ((noun,) if noun else ()):
            continue
        page = CliRunner().invoke(program, [*path, "--help", "--lang", "vi"]).stdout
        assert "Cách dùng: civreg" in page
        kept, in_example = [], False
        for line in page.splitlines()[1:]:
            in_example = line == "  Ví dụ:" or (in_example and bool(line.strip()))
            if not in_example:  # Of an option or a verb, what stands behind its name.
                kept.append(re.sub(r"^  ?\S.*?  +|^  -\S.*$", " ", line))
        assert english_in("\n".join(kept)) == [], " ".join(path)
        assert not re.search(r"\[(default|OPTIONS|required)|COMMAND|Example", page), path


def all_bases():
    """Yield each legal basis that a record type or the rule pack names."""
    folder = Path(types.__file__).parent / "types"
    for file in sorted(folder.glob("*.toml")):
        text = file.read_bytes()
        if file.stem == "wrap":
            continue
        record_type = read_record_type(text)
        yield from record_type.laws
        for operation in record_type.operations.values():
            yield from operation.basis
    yield from re.findall(r'basis = "([^"]*)"', PACK_TEXT.decode())


def test_every_legal_basis_that_ships_is_read_out_in_vietnamese():
    bases = set(all_bases())
    assert len(bases) > 20
    told = {basis: basis_words(basis)[0] for basis in bases}
    assert {basis: text for basis, text in told.items() if english_in(text)} == {}
    plain = {basis for basis, text in told.items() if basis == text}
    assert plain == set(), "say in registry.legal_words how it is read out"


def test_every_code_table_has_a_name_in_both_languages():
    one, other = (catalogue(language).texts for language in LANGUAGES)
    for name in types.table_names():
        key = f"import.table_name.{name}"
        assert one[key] != other[key]


@pytest.mark.parametrize(
    ("basis", "vietnamese"),
    [
        ("60/2014/QH13 art. 16.2", "khoản 2 Điều 16 Luật số 60/2014/QH13"),
        ("91/2015/QH13 arts 27-28", "các Điều 27-28 Bộ luật số 91/2015/QH13"),
        ("123/2015/ND-CP art. 6.2", "khoản 2 Điều 6 Nghị định số 123/2015/NĐ-CP"),
        ("59/2021/TT-BCA; policy", "Thông tư số 59/2021/TT-BCA; Quy định của mạng"),
        ("what an office wrote", "what an office wrote"),
    ],
)
def test_a_legal_basis_is_cited_as_an_office_cites_it(basis, vietnamese):
    assert basis_words(basis) == (vietnamese, basis)


def test_every_policy_of_signers_is_told_in_words():
    for path, command in commands(program):
        text = getattr(command, "text_vi", "")
        assert english_in(text) == [], path
    assert policy_words("officer(register) and (subject or owners(all))") == (
        "cán bộ (đăng ký) và (chính người này hoặc chủ sở hữu (tất cả))",
        "officer (registers) and (the person concerned or owner (all))",
    )


@pytest.mark.parametrize(
    ("language", "answer", "agrees"),
    [
        ("vi", "c", True), ("vi", "CÓ", True), ("vi", "co\u0301", True), ("vi", "y", True),
        ("vi", "k", False), ("vi", "không", False), ("vi", "n", False), ("vi", "", False),
        ("en", "y", True), ("en", "yes", True), ("en", "no", False), ("en", "", False),
    ],
)  # fmt: skip
def test_a_question_takes_the_answers_of_the_language_it_is_asked_in(language, answer, agrees):
    shown = ask_at_terminal(language, f"{answer}\n")
    assert (shown.exit_code == 0) == agrees
    assert ("[c/K]" in shown.stderr) == (language == "vi")


def test_an_answer_that_is_neither_is_asked_again():
    shown = ask_at_terminal("vi", "maybe\nc\n")
    assert shown.exit_code == 0
    assert "c (có) hoặc k (không)" in shown.stderr


def ask_at_terminal(language, answers):
    """Ask somebody who sits at a terminal; exit status 0 is a yes."""

    @click.command()
    def ask():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys.stdin, "isatty", lambda: True)
            try:
                confirm("?", Context(lang=language))
            except CancelledError:
                raise SystemExit(9) from None

    return CliRunner().invoke(ask, input=answers)
