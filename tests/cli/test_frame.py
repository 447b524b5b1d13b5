"""The frame of the command line: languages, forms, refusals and exit codes, for every command."""

import json
import re
from io import StringIO
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli import commands, output
from cli.commands import Command, Group, scan
from cli.errors import CancelledError, NotFoundError, RemoteRefusalError, code_of
from cli.exit_codes import ExitCode
from cli.languages import catalogue, language_of_locale
from cli.main import Program, as_civreg_error, default_context, program
from cli.output import Context, accepted, confirm, progress, refused
from ledger.errors import LimitExceededError


@pytest.fixture
def run(monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "NO_COLOR", "CIVREG_DEBUG", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")

    def invoke(*words, group=program, **settings):
        return CliRunner().invoke(group, words, **settings)

    return invoke


def group_with(*verbs: click.Command) -> Program:
    """Return a program that has only these commands."""

    class Small(Program):
        def list_commands(self, ctx):  # noqa: ARG002 - click's signature
            return [verb.name for verb in verbs]

        def get_command(self, ctx, cmd_name):  # noqa: ARG002 - click's signature
            return next((verb for verb in verbs if verb.name == cmd_name), None)

    return Small(name="civreg")


@click.command(cls=Command, changes=True)
@click.pass_obj
def show_context(context: Context) -> None:
    """Show the context."""
    accepted({"lang": context.lang, "home": context.home, "yes": context.yes,
              "dry_run": context.dry_run}, context)  # fmt: skip


@click.command(cls=Command)
@click.argument("kind")
def fail(kind: str) -> None:
    """Fail in one of many ways."""
    raise {
        "refused": LimitExceededError("an entry of 9 bytes", limit="entry", value=9, maximum=8),
        "remote": RemoteRefusalError("registry.stale_version", "version 4 is current", current=4),
        "bug": ZeroDivisionError("ours"),
        "interrupt": KeyboardInterrupt(),
        "abort": click.Abort(),
        "no-file": FileNotFoundError(2, "No such file", "birth.toml"),
        "forbidden": PermissionError(13, "Permission denied", "key.pem"),
    }[kind]


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ({"LANG": "vi_VN.UTF-8"}, "vi"),
        ({"LANG": "vi"}, "vi"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "vi_VN", "LC_ALL": "en_US"}, "en"),
        ({"LANG": "en_US", "LC_MESSAGES": "vi_VN"}, "vi"),
        ({"LANG": "vi_VN", "LC_ALL": ""}, "vi"),
        ({}, "en"),
    ],
)
def test_the_language_is_that_of_the_locale(locale, language):
    assert language_of_locale(locale) == language


def test_the_language_can_be_named_at_any_place(run):
    for words in (["--lang", "vi", "version", "--help"], ["version", "--help", "--lang=vi"]):
        shown = run(*words)
        assert shown.exit_code == 0
        assert "Cách dùng:" in shown.stdout
        assert "civreg version --json" in shown.stdout, "examples are the same in both languages"


def test_help_lists_every_noun_in_both_languages(run):
    for language in ("vi", "en"):
        shown = run("--lang", language, "--help").stdout
        for noun in commands.NOUNS:
            assert noun in shown
            assert catalogue(language).help[noun].split()[0] in shown


def test_every_noun_can_be_loaded():
    ctx = click.Context(program, info_name="civreg", **program.context_settings)
    for noun in commands.NOUNS:
        assert isinstance(program.get_command(ctx, noun), click.Command)


def test_version_prints_lines_for_people_and_one_object_for_programs(run):
    assert run("version").stdout.startswith("civreg 0.1.0\n")
    for words in (["--json", "version"], ["version", "--json"]):
        assert json.loads(run(*words).stdout)["civreg"] == "0.1.0"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for(shell, run):
    script = run("completion", shell).stdout
    assert "_CIVREG_COMPLETE" in script


def test_the_shell_is_offered_the_nouns_without_loading_them(run):
    offered = run(env={"_CIVREG_COMPLETE": "bash_complete", "COMP_WORDS": "civreg ver",
                       "COMP_CWORD": "1"}, prog_name="civreg")  # fmt: skip
    assert "plain,version" in offered.stdout


def test_a_wrong_name_gets_the_nearest_one(run):
    shown = run("verison")
    assert shown.exit_code == ExitCode.USAGE
    assert "[cli.no_such_command]" in shown.stderr
    assert "version" in shown.stderr.splitlines()[-1]
    shown = run("version", "--jsn", "--lang", "vi")
    assert shown.exit_code == ExitCode.USAGE
    assert "--json" in shown.stderr.splitlines()[-1]
    assert shown.stderr.startswith("lỗi:")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["completion"], "cli.missing_parameter"),
        (["completion", "tcsh"], "cli.bad_parameter"),
        (["version", "extra"], "cli.usage"),
        (["--lang", "fr", "version"], "cli.bad_parameter"),
    ],
)
def test_a_wrong_command_line_is_refused_in_the_form_that_was_asked_for(words, code, run):
    shown = run(*words, "--json")
    assert (shown.exit_code, shown.stdout) == (ExitCode.USAGE, "")
    assert json.loads(shown.stderr)["error"]["code"] == code


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("refused", "ledger.limit_exceeded", ExitCode.INVALID_INPUT),
        ("remote", "registry.stale_version", ExitCode.CONFLICT),
        ("bug", "cli.internal_fault", ExitCode.FAILED),
        ("interrupt", "cli.cancelled", ExitCode.CANCELLED),
        ("abort", "cli.cancelled", ExitCode.CANCELLED),
        ("no-file", "cli.no_such_file", ExitCode.NOT_FOUND),
        ("forbidden", "cli.file_access", ExitCode.FAILED),
    ],
)
def test_every_failure_ends_with_a_code_a_sentence_a_hint_and_its_status(kind, code, status, run):
    group = group_with(fail)
    shown = run("fail", kind, group=group)
    assert shown.exit_code == status
    assert shown.stdout == ""
    lines = shown.stderr.strip().splitlines()  # click ends the line of ^C first
    assert lines[0].startswith("error: ")
    assert lines[0].endswith(f"[{code}]")
    assert lines[-1].startswith("hint: ")
    error = json.loads(run("fail", kind, "--json", group=group).stderr.strip())["error"]
    assert (error["code"], error["exit"]) == (code, status)
    assert error["sentence"]
    assert error["hint"]


def test_the_details_of_an_error_stand_in_its_sentence(run):
    shown = run("--lang", "vi", "fail", "refused", group=group_with(fail))
    assert "entry là 9, tối đa 8" in shown.stderr


def test_a_fault_of_ours_keeps_its_traceback_when_asked(run):
    shown = run("fail", "bug", group=group_with(fail), env={"CIVREG_DEBUG": "1"})
    assert isinstance(shown.exception, ZeroDivisionError)


def test_what_is_asked_for_reaches_the_command_from_any_place(run, tmp_path):
    group = group_with(show_context)
    name = show_context.name
    before = run("--home", str(tmp_path), "--json", name, "--yes", group=group)
    after = run(name, "--home", str(tmp_path), "--json", "--yes", group=group)
    assert json.loads(before.stdout) == json.loads(after.stdout)
    assert json.loads(after.stdout) == {
        "lang": "en", "home": str(tmp_path), "yes": True, "dry_run": False,
    }  # fmt: skip


def test_home_follows_the_xdg_rules(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert default_context().home == Path("/somewhere/.local/share/civreg")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_context().home == Path("/data/civreg")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_context().home == Path("/somewhere/.local/share/civreg")


def test_scan_takes_the_last_language_named_and_leaves_wrong_ones_to_the_parser():
    assert scan(["--lang", "vi", "--lang=en"], Context(lang="vi")).lang == "en"
    assert scan(["--lang", "fr"], Context(lang="vi")).lang == "vi"
    assert scan(["--lang"], Context()).lang == "en"
    assert scan(["key", "--json"], Context()).as_json


def test_confirm_goes_on_only_with_consent(monkeypatch):
    confirm("Sell?", Context(yes=True))
    confirm("Sell?", Context(dry_run=True))
    monkeypatch.setattr("sys.stdin", StringIO("y\n"))  # no terminal
    with pytest.raises(CancelledError):
        confirm("Sell?", Context())


def test_results_show_bytes_paths_and_enums_as_programs_expect(capsys):
    result = {"root": b"\x01\xff", "file": Path("a/b"), "exit": ExitCode.OK, "words": ["một"]}
    accepted(result, Context(as_json=True))
    accepted(result, Context(), next_command="civreg version")
    shown = capsys.readouterr()
    first, *rest = shown.out.splitlines()
    assert json.loads(first) == {"root": "01ff", "file": "a/b", "exit": 0, "words": ["một"]}
    assert rest == ["root: 01ff", "file: a/b", "exit: 0", 'words: ["một"]']
    assert shown.err == "next: civreg version\n"
    with pytest.raises(TypeError):
        accepted({"odd": object()}, Context(as_json=True))


def test_progress_without_a_terminal_is_plain_lines_and_nothing_with_json(capsys):
    with progress("import", 10, Context()) as advance:
        advance(4)
        advance(6)
    assert "import: 10 of 10" in capsys.readouterr().err
    with progress("import", 10, Context(as_json=True)) as advance:
        advance(10)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_progress_on_a_terminal_is_a_bar_with_rate_and_time_left(monkeypatch):
    class Terminal(StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with output.progress("import", 10, Context()) as advance:
        advance(10)
    assert "10/10" in terminal.getvalue()
    assert "/s" in terminal.getvalue()


def test_a_refusal_of_a_node_keeps_the_code_that_the_node_sent(capsys):
    error = RemoteRefusalError("registry.stale_version", "version 4 is current", current=4)
    assert code_of(error) == "registry.stale_version"
    assert refused(error, Context()) == ExitCode.CONFLICT
    assert "[registry.stale_version]" in capsys.readouterr().err


def test_colour_is_left_out_when_nobody_wants_it(monkeypatch, capsys):
    monkeypatch.setenv("NO_COLOR", "1")
    refused(as_civreg_error(KeyboardInterrupt()), Context())
    assert "\x1b" not in capsys.readouterr().err


def test_a_noun_with_verbs_suggests_the_nearest_verb(run):
    noun = Group(name="key", commands=[fail], help="Keys.")
    shown = run("key", "fial", "--json", group=group_with(noun))
    assert json.loads(shown.stderr)["error"]["details"] == {"name": "fial", "nearest": "fail"}
    assert "fail" in run("key", "--help", group=group_with(noun)).stdout


def test_every_command_that_a_text_suggests_exists():
    texts = Path(output.__file__).parent.glob("messages/*/*.toml")
    said = [
        found.group(1).split()
        for path in texts
        for found in re.finditer(r"`civreg ([^`]+)`", path.read_text(encoding="utf-8"))
    ]
    assert len(said) > 50, "the texts were found"
    for noun, *more in said:
        if noun.startswith(("-", "<")):
            continue
        command = program.get_command(click.Context(program), noun)
        assert command is not None, noun
        if isinstance(command, click.Group) and more and not more[0].startswith(("-", "<")):
            assert more[0] in command.commands, f"{noun} {more[0]}"
        takes = [one.type for one in command.params if isinstance(one, click.Argument)]
        if more and takes and isinstance(takes[0], click.Path):
            assert not more[0].isalpha() or more[0].isupper(), f"{noun} {more[0]}: no file"


def test_in_vietnamese_the_detail_of_an_error_is_its_facts_and_no_english_text(capsys):
    error = NotFoundError("nobody wrote this; known: a, b", name="x", height=7)
    refused(error, Context(lang="vi"))
    shown = capsys.readouterr().err
    assert "độ cao: 7" in shown
    assert "nobody wrote this" not in shown
    refused(error, Context(lang="en"))
    assert "nobody wrote this" in capsys.readouterr().err
