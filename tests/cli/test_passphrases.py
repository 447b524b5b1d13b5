"""Passphrases: one is asked for once, a wrong one is told at once, and none is ever printed."""

from functools import partial

import pytest

from cli import bodies, passphrases
from cli.exit_codes import ExitCode
from cli.key_ring import KeyOpener, KeyRing
from keys.errors import WrongPassphraseError
from keys.hashing import Digest
from keys.keyring import create_key_file
from keys.pkcs8 import ScryptCost, encrypt_pkcs8
from keys.sealing import key_check
from keys.signing import Algorithm, SoftwareKey
from ledger.ids import RecordId
from registry.sealed import BodyPlace
from registry.wraps import Reader, make_wraps, parse_wraps
from tests.cli.conftest import Desk

ONE, OTHER = b"one for all", b"another"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    """Make key files that are opened fast; what they cost is tested elsewhere."""
    encrypt = partial(encrypt_pkcs8, cost=ScryptCost(n=2, r=8, p=1))
    monkeypatch.setattr("keys.keyring.encrypt_pkcs8", encrypt)


@pytest.fixture
def folder(tmp_path):
    """A home with three keys under one passphrase and one under another."""
    keys = tmp_path / "keys"
    keys.mkdir()
    for name, passphrase in {"auth": ONE, "seal": ONE, "sign": ONE, "token": OTHER}.items():
        create_key_file(keys / f"lan-{name}.pem", SoftwareKey.generate(), passphrase)
    return tmp_path


class Person:
    """Somebody who is asked, and who answers one after another."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.asked = []

    def __call__(self, path, wrong):
        self.asked.append((path.stem, wrong))
        if not self._answers:
            raise WrongPassphraseError("no more")
        return self._answers.pop(0)


def test_one_passphrase_of_several_keys_is_asked_for_once(folder):
    person = Person(ONE, OTHER)
    ring = KeyRing(person)
    ring.add_folder(folder)
    opened = [ring.need(key_id, "sign").public.key_id for key_id in ring]
    assert opened == list(ring)
    assert person.asked == [("lan-auth", 0), ("lan-token", 0)]


def test_a_wrong_passphrase_is_asked_for_again_and_never_tried_elsewhere(folder):
    person = Person(b"mistyped", ONE)
    opener = KeyOpener(person)
    opener.open(folder / "keys/lan-auth.pem")
    opener.open(folder / "keys/lan-seal.pem")
    assert person.asked == [("lan-auth", 0), ("lan-auth", 1)]


def test_nobody_is_asked_for_what_a_known_passphrase_opens(folder):
    person = Person(ONE)
    opener = KeyOpener(person)
    assert opener.open_quietly(folder / "keys/lan-seal.pem") is None
    opener.open(folder / "keys/lan-auth.pem")
    assert opener.open_quietly(folder / "keys/lan-seal.pem") is not None
    assert opener.open_quietly(folder / "keys/lan-token.pem") is None
    assert person.asked == [("lan-auth", 0)]


PLACE = BodyPlace(Digest(bytes(32)), RecordId(bytes(16)), 1)
DATA_KEY = bytes(range(32))


def sealed_to(folder, **passphrases_of):
    """Return a ring of seal keys with these passphrases, and wraps for them in any order."""

    def make(person, order):
        readers = []
        for name, passphrase in passphrases_of.items():
            key = SoftwareKey.generate(Algorithm.MLKEM768_X25519)
            create_key_file(folder / "keys" / f"{name}.pem", key, passphrase)
            readers.append(Reader(key.public, "agency" if name == "agency" else "owner"))
        ring = KeyRing(person)
        ring.add_folder(folder)
        wraps = parse_wraps(make_wraps(PLACE, DATA_KEY, readers))
        return bodies._unwrap(wraps[::order], PLACE, ring, key_check(DATA_KEY))

    return make


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_sealed_opens_with_the_own_key_before_others_are_asked_for(tmp_path, order):
    (tmp_path / "keys").mkdir()
    person = Person(ONE)
    make = sealed_to(tmp_path, agency=OTHER, lan=ONE)
    assert make(person, order) == DATA_KEY
    assert person.asked == [("lan", 0)]


def test_a_key_that_needs_no_passphrase_is_used_without_asking(folder):
    person = Person()
    create_key_file(folder / "keys/z.pem", SoftwareKey.generate(), None, unencrypted=True)
    ring = KeyRing(person)
    ring.add_folder(folder)
    assert [ring.get_quietly(key_id) is not None for key_id in ring] == [False] * 4 + [True]
    assert person.asked == []


def test_a_wrong_passphrase_is_no_unseen_part(tmp_path):
    (tmp_path / "keys").mkdir()
    with pytest.raises(WrongPassphraseError):
        sealed_to(tmp_path, lan=ONE)(Person(b"mistyped"), 1)


@pytest.mark.parametrize("order", [1, -1])
def test_another_key_that_opens_makes_a_wrong_passphrase_harmless(tmp_path, order):
    (tmp_path / "keys").mkdir()

    def from_file(_path, wrong):
        if wrong:
            raise WrongPassphraseError("the file says the same again")
        return OTHER

    make = sealed_to(tmp_path, lan=ONE, minh=OTHER)
    assert make(from_file, order) == DATA_KEY


@pytest.fixture
def terminal(monkeypatch):
    """Let a person at a terminal type these; returns what was asked."""
    asked = []

    def sit_down(*typed):
        answers = list(typed)

        def prompt(question):
            asked.append(question)
            return answers.pop(0)

        monkeypatch.setattr(passphrases, "_prompt", prompt)
        return asked

    return sit_down


CHANGE = ("key", "change-passphrase", "lan-sign", "--dry-run")


def test_who_mistypes_is_told_so_at_once_and_asked_again(folder, terminal):
    asked = terminal(b"mistyped", ONE)
    said = Desk(folder).run(*CHANGE)
    assert said.exit_code == 0
    assert asked == ["Passphrase of lan-sign.pem"] * 2
    assert said.stderr == "Wrong passphrase: it does not open lan-sign.pem.\n"
    assert "mistyped" not in said.output
    assert ONE.decode() not in said.output


def test_after_three_wrong_passphrases_the_key_is_named(folder, terminal):
    asked = terminal(b"1st", b"2nd", b"3rd", b"4th")
    said = Desk(folder).run(*CHANGE, "--lang", "vi")
    assert said.exit_code == ExitCode.KEY_NEEDED
    assert len(asked) == passphrases.TRIES_MAX
    assert "Sai mật khẩu: không mở được lan-sign.pem." in said.stderr
    assert "mật khẩu không mở được tệp khóa lan-sign.pem" in said.stderr
    assert "[keys.wrong_passphrase]" in said.stderr


def test_a_passphrase_file_is_tried_once(folder, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_bytes(b"of another key\n")
    status, error = Desk(folder).refused(*CHANGE, "--passphrase-file", wrong)
    assert (status, error["code"]) == (ExitCode.KEY_NEEDED, "keys.wrong_passphrase")
    assert error["details"] == {"name": "lan-sign.pem"}
    assert "of another key" not in str(error)
