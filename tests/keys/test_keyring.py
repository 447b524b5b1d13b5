"""Key files: complete or absent, for the owner's eyes only, readable by the openssl tool."""

import base64
import contextlib
import errno
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import (
    CivregError,
    ExposedKeyFileError,
    KeyFileError,
    KeyFileExistsError,
    WrongPassphraseError,
)
from keys.keyring import (
    KEY_FILE_BYTES_MAX,
    change_passphrase,
    create_key_file,
    load_key_file,
    read_public_key,
)
from keys.pkcs8 import ScryptCost, encrypt_pkcs8
from keys.signing import Algorithm, SoftwareKey, verify

KEYS = {a: SoftwareKey.from_private_bytes(a, bytes(range(1, 33))) for a in Algorithm}
KEY = KEYS[Algorithm.P256]
CHEAP = ScryptCost(n=2, r=1, p=1)


def armoured(der, label="ENCRYPTED PRIVATE KEY", first=""):
    body = base64.encodebytes(der).decode()
    return f"{first}-----BEGIN {label}-----\n{body}-----END {label}-----\n"


CHEAP_DER = encrypt_pkcs8(KEY.to_private_der(), b"secret", bytes(16), bytes(16), CHEAP)
FIRST = f"civreg-public-key: 1 {KEY.public.public.hex()}\n"
CHEAP_FILE = armoured(CHEAP_DER, first=FIRST).encode()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "officer.key"


def written(path, content, mode=0o600):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_key_of_each_algorithm_comes_back_from_its_file(file, algorithm):
    create_key_file(file, KEYS[algorithm], b"secret")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert b"ENCRYPTED" in file.read_bytes()
    loaded = load_key_file(file, b"secret")
    assert loaded.public == KEYS[algorithm].public == read_public_key(file)
    assert loaded.to_private_der() == KEYS[algorithm].to_private_der()


@pytest.mark.parametrize("algorithm", Algorithm)
def test_an_unencrypted_file_needs_the_flag_and_no_passphrase(file, algorithm):
    with pytest.raises(KeyFileError, match="not both"):
        create_key_file(file, KEYS[algorithm], None)
    with pytest.raises(KeyFileError, match="not both"):
        create_key_file(file, KEYS[algorithm], b"secret", unencrypted=True)
    assert not file.exists()
    create_key_file(file, KEYS[algorithm], None, unencrypted=True)
    assert load_key_file(file, None).public == KEYS[algorithm].public
    with pytest.raises(KeyFileError, match="not encrypted"):
        load_key_file(file, b"secret")


def test_an_empty_passphrase_is_refused(file):
    with pytest.raises(KeyFileError, match="empty"):
        create_key_file(file, KEY, b"")
    assert not file.exists()


def test_a_wrong_passphrase_and_none_are_refused_with_a_code_of_their_own(file):
    written(file, CHEAP_FILE)
    assert load_key_file(file, b"secret").public == KEY.public
    for wrong in (b"Secret", b"secret\n", b"", None):
        with pytest.raises(WrongPassphraseError):
            load_key_file(file, wrong)


def test_a_wrong_passphrase_whose_padding_happens_to_be_right_is_still_wrong(file):
    der = encrypt_pkcs8(b"no private key", b"secret", bytes(16), bytes(16), CHEAP)
    with pytest.raises(WrongPassphraseError):
        load_key_file(written(file, armoured(der)), b"secret")


def test_a_key_file_is_never_overwritten(file):
    written(file, b"precious")
    with pytest.raises(KeyFileExistsError) as caught:
        create_key_file(file, KEY, None, unencrypted=True)
    assert caught.value.code == "keys.key_file_exists"
    assert file.read_bytes() == b"precious"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("bit", [0o40, 0o20, 0o10, 0o4, 0o2, 0o1])
def test_any_right_of_group_or_others_is_refused(file, bit):
    written(file, CHEAP_FILE, 0o600 | bit)
    for use in (lambda: load_key_file(file, b"secret"), lambda: read_public_key(file)):
        with pytest.raises(ExposedKeyFileError, match="chmod 600") as caught:
            use()
        assert caught.value.details["mode"] == f"0{0o600 | bit:o}"


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_rights_of_the_owner_alone_are_fine(file, mode):
    assert load_key_file(written(file, CHEAP_FILE, mode), b"secret").public == KEY.public


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path in (pipe, tmp_path):
        with pytest.raises(KeyFileError):
            load_key_file(path, b"secret")


def test_an_absent_file_and_an_impossible_name_are_refused(tmp_path):
    for path in (tmp_path / "absent", tmp_path / "absent/too", tmp_path / "a\0b"):
        with pytest.raises(KeyFileError):
            load_key_file(path, b"secret")
        with pytest.raises(KeyFileError):
            create_key_file(path.parent / "absent" / "x\0", KEY, None, unencrypted=True)


def test_a_file_is_read_up_to_its_limit(file):
    written(file, CHEAP_FILE.ljust(KEY_FILE_BYTES_MAX, b"\n"))
    with pytest.raises(KeyFileError, match="not a PEM"):
        load_key_file(file, b"secret")
    written(file, CHEAP_FILE.ljust(KEY_FILE_BYTES_MAX + 1, b"\n"))
    with pytest.raises(KeyFileError, match="over 65536 bytes"):
        load_key_file(file, b"secret")


OTHER = SoftwareKey.from_private_bytes(Algorithm.P256, bytes(31) + b"\x05").public.public.hex()
PLAIN_DER = KEY.to_private_der()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a PEM"),
        (b"\xff\xfe", "not a PEM"),
        (CHEAP_FILE + CHEAP_FILE, "not a PEM"),
        (CHEAP_FILE.replace(b"-----END ENCRYPTED", b"-----END"), "not a PEM"),
        (CHEAP_FILE.replace(b"\n", b"\r\n"), "not a PEM"),
        (armoured(PLAIN_DER, "EC PRIVATE KEY"), "not a PEM"),
        (armoured(CHEAP_DER).replace("=", "").replace("\n-----E", "=A=\n-----E"), "damaged"),
        (armoured(CHEAP_DER, first=f"civreg-public-key: 9 {OTHER}\n"), "damaged"),
        (armoured(CHEAP_DER, first=f"civreg-public-key: 1 {OTHER}0\n"), "damaged"),
        (armoured(CHEAP_DER, first=f"civreg-public-key: 1 {OTHER[2:]}\n"), "damaged"),
        (armoured(CHEAP_DER, first=f"civreg-public-key: 1 {OTHER}\n"), "another key"),
        (armoured(PLAIN_DER), "not an encrypted PKCS#8"),
    ],
)
def test_a_damaged_file_is_refused_with_the_reason(file, content, reason):
    with pytest.raises(KeyFileError, match=reason):
        load_key_file(written(file, content), b"secret")


def test_an_unencrypted_file_of_another_kind_of_key_is_refused(file):
    with pytest.raises(KeyFileError, match="no key that civreg uses"):
        load_key_file(written(file, armoured(CHEAP_DER, "PRIVATE KEY")), None)


def test_a_file_without_the_first_line_loads_but_names_no_public_key(file):
    written(file, armoured(CHEAP_DER))
    assert load_key_file(file, b"secret").public == KEY.public
    with pytest.raises(KeyFileError, match="no line"):
        read_public_key(file)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return written(tmp_path_factory.mktemp("scratch") / "file", b"")


@given(st.binary(max_size=400) | st.text(max_size=100).map(str.encode))
def test_random_files_give_a_coded_error_and_never_a_key(scratch, content):
    scratch.write_bytes(content)
    for passphrase in (b"secret", None):
        with pytest.raises(CivregError):
            load_key_file(scratch, passphrase)


@given(st.data())
def test_a_changed_byte_gives_the_same_key_or_a_coded_error(scratch, data):
    content = bytearray(CHEAP_FILE)
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    scratch.write_bytes(content)
    with contextlib.suppress(KeyFileError):
        assert load_key_file(scratch, b"secret").public == KEY.public


def test_a_new_passphrase_replaces_the_old_one(file):
    written(file, CHEAP_FILE)
    change_passphrase(file, b"secret", b"better")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert load_key_file(file, b"better").public == KEY.public
    with pytest.raises(WrongPassphraseError):
        load_key_file(file, b"secret")
    change_passphrase(file, b"better", None, unencrypted=True)
    assert load_key_file(file, None).public == KEY.public


def test_a_passphrase_is_not_changed_by_who_does_not_know_it(file):
    written(file, CHEAP_FILE)
    for old, new in ((b"wrong", b"better"), (b"secret", b""), (b"secret", None)):
        with pytest.raises(KeyFileError):
            change_passphrase(file, old, new)
    assert file.read_bytes() == CHEAP_FILE


@pytest.mark.parametrize("name", ["fsync", "link"])
def test_when_the_disk_is_full_nothing_half_written_stays(file, monkeypatch, name):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, name, full)
    with pytest.raises(KeyFileError, match="No space left"):
        create_key_file(file, KEY, None, unencrypted=True)
    assert list(file.parent.iterdir()) == []


def test_when_the_new_file_cannot_take_the_old_ones_place_the_old_one_stays(file, monkeypatch):
    written(file, CHEAP_FILE)

    def full(*_arguments):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(KeyFileError, match="Input/output"):
        change_passphrase(file, b"secret", None, unencrypted=True)
    assert file.read_bytes() == CHEAP_FILE
    assert list(file.parent.iterdir()) == [file]


@pytest.fixture(scope="module")
def openssl():
    tool = shutil.which("openssl")
    if tool is None:
        pytest.skip("the openssl tool is not installed")

    def run(*arguments, **options):
        return subprocess.run([tool, *arguments], check=True, capture_output=True, **options).stdout

    return run


@pytest.mark.parametrize("algorithm", [Algorithm.P256, Algorithm.ED25519])
def test_the_openssl_tool_opens_our_key_files(file, openssl, algorithm):
    create_key_file(file, KEYS[algorithm], b"secret")
    der = openssl("pkey", "-in", str(file), "-passin", "pass:secret", "-outform", "DER")
    assert SoftwareKey.from_private_der(der).public == KEYS[algorithm].public


@pytest.mark.parametrize(
    "kind", [["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], ["ED25519"]], ids=["p256", "ed25519"]
)
def test_we_open_key_files_of_the_openssl_tool(file, openssl, kind):
    pem = openssl("genpkey", "-algorithm", *kind)
    public = openssl("pkey", "-pubout", "-outform", "DER", input=pem)
    encrypted = openssl("pkcs8", "-topk8", "-scrypt", "-passout", "pass:secret", input=pem)
    key = load_key_file(written(file, encrypted), b"secret")
    assert key.public.public[-32:] in public or key.public.public[1:33] in public
    verify(key.public, b"message", key.sign(b"message"))
    file.unlink()
    plain = load_key_file(written(file, pem), None)
    assert plain.public == key.public


def test_the_openssl_tool_writes_pbkdf2_by_itself_which_we_refuse(file, openssl):
    pem = openssl("genpkey", "-algorithm", "ED25519")
    encrypted = openssl("pkcs8", "-topk8", "-passout", "pass:secret", input=pem)
    with pytest.raises(KeyFileError, match="another cipher or key derivation"):
        load_key_file(written(file, encrypted), b"secret")
