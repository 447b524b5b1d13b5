"""An act that was sent and whose fate is unknown is kept, told as such, and settled once."""

import json
import shlex
import signal
import stat
import subprocess
import sys
import time

import pytest

from cli.acting import Actor
from cli.errors import NoNetworkError, RemoteRefusalError
from cli.exit_codes import ExitCode
from cli.packages import Result
from cli.sent import FOLDER
from tests.cli.test_clerk import identity_form

pytestmark = pytest.mark.slow

CREATE = ("identity", "create", "-", "--office", "police", "--yes")
WAIT_SECONDS = 60.0
_really_submit = Actor.submit


def interrupted(actor, packages, **how):
    """The network takes the act, and Ctrl-C comes before its answer."""
    _really_submit(actor, packages, **how)
    raise KeyboardInterrupt


def cut_off(actor, packages, **how):
    """The network takes the act, and then no node can be reached any more."""
    _really_submit(actor, packages, **how)
    raise NoNetworkError("no node answers", address="http://127.0.0.1:1")


def without_quorum(_actor, packages, **_how):
    """A node holds the act, and no block comes."""
    return [Result(entry_digest=one.entry.entry_digest, status="pending") for one in packages]


def refusing(code):
    """A node says no."""

    def submit(_actor, packages, **_how):
        error = RemoteRefusalError(code, "no")
        return [
            Result(entry_digest=one.entry.entry_digest, status="refused", error=error)
            for one in packages
        ]

    return submit


@pytest.fixture
def submitting(monkeypatch):
    """Have commands submit in another way until `again` is called."""

    class Way:
        def by(self, way):
            monkeypatch.setattr(Actor, "submit", way)

        def again(self):
            monkeypatch.setattr(Actor, "submit", _really_submit)

    return Way()


@pytest.fixture(autouse=True)
def _nothing_kept(desk):
    yield
    for kept in (desk.home / FOLDER).glob("*"):
        kept.unlink()


def kept_by(desk):
    return sorted((desk.home / FOLDER).glob("*"))


def entries_of(desk, record):
    return [act["kind"] for act in desk.ask("record", "history", record)]


@pytest.mark.parametrize(
    ("way", "cause"),
    [
        (interrupted, "cli.cancelled"),
        (cut_off, "cli.no_network"),
        (without_quorum, None),
        (refusing("node.pool_full"), "node.pool_full"),
    ],
)
def test_an_act_whose_fate_is_unknown_is_kept_and_its_file_registers_it_once(
    desk, submitting, way, cause
):
    submitting.by(way)
    shown = desk.run(*CREATE, "--json", stdin=identity_form())
    assert shown.exit_code == ExitCode.NO_NETWORK
    told = json.loads(shown.stdout)
    assert (told["status"], told["cause"]) == ("pending", cause)
    (kept,) = kept_by(desk)
    assert told["kept"] == str(kept)
    assert told["entry"] in kept.name
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    submitting.again()
    _program, _home, home, *settles = shlex.split(told["settle_command"])
    assert home == str(desk.home)
    (settled,) = desk.ask(*settles)
    assert (settled["status"], settled["entry"]) == ("committed", told["entry"])
    assert settled["records"] == told["records"]
    assert kept_by(desk) == [], "its fate is known"
    assert entries_of(desk, told["records"][0]["id"]) == ["identity/create"]


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ("not known whether it is registered", "Do NOT run the command again")),
        ("vi", ("chưa biết đã đăng ký hay chưa", "ĐỪNG chạy lại lệnh")),
    ],
)
def test_who_is_interrupted_after_sending_is_told_what_to_do_instead(desk, submitting, lang, words):
    submitting.by(interrupted)
    shown = desk.run(*CREATE, "--lang", lang, stdin=identity_form())
    (kept,) = kept_by(desk)
    assert shown.exit_code == ExitCode.NO_NETWORK
    assert [word for word in (*words, kept.stem, str(kept)) if word not in shown.stdout] == []
    assert f"draft submit {kept}" in shown.stderr
    assert "error" not in shown.stderr


def test_an_interruption_before_anything_was_sent_keeps_nothing(desk, monkeypatch):
    def stopped(_actor, _draft):
        raise KeyboardInterrupt

    monkeypatch.setattr(Actor, "sign", stopped)
    status, error = desk.refused(*CREATE, stdin=identity_form())
    assert (status, error["code"]) == (ExitCode.CANCELLED, "cli.cancelled")
    assert "run the command again" in error["hint"]
    assert kept_by(desk) == []


def test_what_the_ledger_refused_for_good_is_not_kept(desk, submitting):
    submitting.by(refusing("registry.taken"))
    status, error = desk.refused(*CREATE, stdin=identity_form())
    assert (status, error["code"]) == (ExitCode.CONFLICT, "registry.taken")
    assert kept_by(desk) == []


def test_a_further_act_warns_of_one_whose_fate_is_unknown(desk, submitting):
    submitting.by(without_quorum)
    desk.run(*CREATE, stdin=identity_form())
    (kept,) = kept_by(desk)
    submitting.again()
    shown = desk.run(*CREATE, stdin=identity_form())
    assert shown.exit_code == 0
    (warning,) = [line for line in shown.stderr.splitlines() if kept.stem in line]
    assert f"draft submit {kept}" in warning
    (made,) = desk.ask(*CREATE, stdin=identity_form())
    assert made["unsettled"] == [str(kept)]
    settled = desk.run("draft", "submit", kept)
    assert (settled.exit_code, kept_by(desk)) == (0, [])
    assert kept.stem not in settled.stderr, "it is what is being settled"
    assert desk.ask(*CREATE, stdin=identity_form())[0]["unsettled"] == []


def test_a_draft_whose_fate_is_unknown_is_kept_like_an_act(desk, submitting, tmp_path):
    """The draft that was handed around may be submitted again as well: it is the same entry."""
    submitting.by(interrupted)
    desk.run(*CREATE, stdin=identity_form())
    (first,) = kept_by(desk)
    draft = tmp_path / "copy.draft"
    first.rename(draft)
    shown = desk.run("draft", "submit", draft, "--json")
    assert shown.exit_code == ExitCode.NO_NETWORK
    assert json.loads(shown.stdout)["kept"] == str(first)
    submitting.again()
    assert desk.ask("draft", "submit", draft)[0]["status"] == "committed"
    assert kept_by(desk) == []
    assert desk.ask("draft", "submit", draft)[0]["status"] == "committed", "and once more"


def test_an_act_of_governance_whose_fate_is_unknown_is_no_success(desk, submitting):
    words = ("governance", "propose", "parameter", "received_days", "8", "--by", "justice", "--yes")
    submitting.by(interrupted)
    shown = desk.run(*words, "--json")
    assert shown.exit_code == ExitCode.NO_NETWORK
    told = json.loads(shown.stdout)
    assert (told["status"], told["kind"]) == ("pending", "ballot/open")
    submitting.again()
    (settled,) = desk.ask("draft", "submit", told["kept"])
    assert settled["made"] == told["made"]
    assert kept_by(desk) == []


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), OSError(28, "No space", "x")])
def test_a_certificate_whose_file_is_not_written_is_told_to_be_registered(
    desk, monkeypatch, tmp_path, problem
):
    """Else the command is run again, and there are two certificates."""

    def stopped(*_given):
        raise problem

    (made,) = desk.ask(*CREATE, stdin=identity_form())
    out = tmp_path / "her.certificate"
    words = ("identity", "certify", made["records"][0]["id"], "--office", "police", "--yes",
             "--set", "act.reason=bank", "--set", "form=original", "--out", out)  # fmt: skip
    with monkeypatch.context() as patched:
        patched.setattr("cli.act_results.write_sheet", stopped)
        shown = desk.run(*words)
    assert shown.exit_code not in {ExitCode.OK, ExitCode.NO_NETWORK}
    assert "Registered" in shown.stdout
    assert "Nothing more was changed" not in shown.stderr
    (line,) = [line for line in shown.stdout.splitlines() if "registered: " in line]
    _program, _home, _folder, *again = shlex.split(line.partition("registered: ")[2])
    desk.ask(*again)
    assert out.exists()
    assert kept_by(desk) == []


def test_ctrl_c_on_a_real_process_never_says_that_nothing_was_changed(desk, tmp_path):
    form = tmp_path / "form.toml"
    form.write_text(identity_form(), encoding="utf-8")
    words = ["identity", "create", form, "--office", "police", "--yes", "--json"]
    command = [sys.executable, "-m", "cli.main", "--home", desk.home, *words]
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until_s = time.monotonic() + WAIT_SECONDS
    while not list((desk.home / FOLDER).glob("*.draft")) and process.poll() is None:
        assert time.monotonic() < until_s, "it never sent anything"
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=WAIT_SECONDS)
    told = json.loads(stdout)
    assert stderr == ""
    assert (process.returncode, told["status"]) in {(8, "pending"), (0, "committed")}
    if told["status"] == "pending":
        desk.ask("draft", "submit", told["kept"])
    assert kept_by(desk) == []
    assert entries_of(desk, told["records"][0]["id"]) == ["identity/create"]
