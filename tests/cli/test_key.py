"""`civreg key`: files that only their owner can read and only a passphrase opens."""

import os
import stat

import pytest

from cli.exit_codes import ExitCode
from keys.did import parse_did
from keys.keyring import load_key_file
from tests.cli.conftest import Desk


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "home")


@pytest.fixture
def passphrase(tmp_path):
    path = tmp_path / "passphrase"
    path.touch(mode=0o600)
    path.write_text("mật khẩu dài\nsecond line\n", encoding="utf-8")
    return path


def test_a_new_key_is_encrypted_for_its_owner_alone_and_shown_with_its_fingerprint(
    desk, passphrase
):
    (made,) = desk.ask("key", "new", "lan-sign", "--passphrase-file", passphrase)
    path = desk.home / "keys" / "lan-sign.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in path.read_bytes()
    key = load_key_file(path, "mật khẩu dài".encode())
    assert parse_did(made["public"]) == key.public
    assert made["key_id"] == key.public.key_id.hex()
    (shown,) = desk.ask("key", "show", "lan-sign")
    assert shown == made
    assert desk.run("key", "export-public", "lan-sign").stdout.strip() == made["public"]


def test_a_person_gets_three_keys_and_the_list_shows_them(desk):
    made = desk.ask("key", "new", "lan", "--person", "--unencrypted")
    assert [one["name"] for one in made] == ["lan-sign", "lan-auth", "lan-seal"]
    listed = desk.ask("key", "list")
    assert sorted(one["public"] for one in listed) == sorted(one["public"] for one in made)


def test_a_key_file_is_never_overwritten(desk):
    desk.ask("key", "new", "lan", "--unencrypted")
    before = (desk.home / "keys" / "lan.pem").read_bytes()
    status, error = desk.refused("key", "new", "lan", "--unencrypted")
    assert (status, error["code"]) == (ExitCode.CONFLICT, "keys.key_file_exists")
    assert (desk.home / "keys" / "lan.pem").read_bytes() == before


def test_a_passphrase_comes_from_a_descriptor_too_but_never_from_a_flag(desk):
    reader, writer = os.pipe()
    os.write(writer, b"through a pipe\n")
    os.close(writer)
    try:
        desk.ask("key", "new", "lan", "--passphrase-fd", reader)
    finally:
        os.close(reader)
    load_key_file(desk.home / "keys" / "lan.pem", b"through a pipe")
    status, error = desk.refused("key", "new", "other", "--passphrase", "secret")
    assert (status, error["code"]) == (ExitCode.USAGE, "cli.no_such_option")


def test_without_a_terminal_and_a_source_no_passphrase_is_guessed(desk):
    status, error = desk.refused("key", "new", "lan")
    assert (status, error["code"]) == (ExitCode.KEY_NEEDED, "cli.key_needed")
    assert "--passphrase-file" in error["message"]
    assert not (desk.home / "keys").exists()


def test_a_passphrase_file_that_others_can_read_is_refused(desk, passphrase):
    passphrase.chmod(0o644)
    status, error = desk.refused("key", "new", "lan", "--passphrase-file", passphrase)
    assert error["code"] == "cli.file_access"
    assert status == ExitCode.FAILED


def test_changing_the_passphrase_makes_the_old_one_useless(desk, passphrase, tmp_path):
    desk.ask("key", "new", "lan", "--passphrase-file", passphrase)
    newer = tmp_path / "newer"
    newer.touch(mode=0o600)
    newer.write_text("another one\n")
    words = ("key", "change-passphrase", "lan", "--passphrase-file", passphrase,
             "--new-passphrase-file", newer)  # fmt: skip
    status, error = desk.refused(*words)
    assert (status, error["code"]) == (ExitCode.CANCELLED, "cli.cancelled"), "nobody agreed"
    desk.ask(*words, "--yes")
    load_key_file(desk.home / "keys" / "lan.pem", b"another one")
    status, error = desk.refused(*words, "--yes")
    assert (status, error["code"]) == (ExitCode.KEY_NEEDED, "keys.wrong_passphrase")


def test_an_unknown_key_is_not_found(desk):
    status, error = desk.refused("key", "show", "nobody")
    assert (status, error["code"]) == (ExitCode.NOT_FOUND, "cli.not_found")


@pytest.mark.parametrize("name", ["../escape", "A B", ".hidden", ""])
def test_a_name_cannot_lead_out_of_the_folder(name, desk):
    status, error = desk.refused("key", "new", name, "--unencrypted")
    assert (status, error["code"]) == (ExitCode.USAGE, "cli.bad_parameter")


def test_a_dry_run_writes_nothing(desk):
    (said,) = desk.ask("key", "new", "lan", "--person", "--dry-run")
    assert len(said["would_write"]) == 3
    assert not desk.home.exists()
