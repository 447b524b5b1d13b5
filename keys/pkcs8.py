"""Encrypted PKCS#8 (RFC 5958) with PBES2: scrypt (RFC 7914, section 7) and AES-256-CBC, as DER.

`cryptography` writes only PBKDF2 with 2,048 rounds, hence these few lines. The reader is strict:
one form of each length and integer, no unknown algorithm, nothing behind the end, and cost limits
before any work is done. `openssl pkey` reads what is written here, and what `openssl pkcs8 -topk8
-scrypt` writes is read here.

    EncryptedPrivateKeyInfo = { { id-PBES2, { { id-scrypt, { salt, N, r, p, [32] } },
                                              { aes256-CBC, iv } } }, ciphertext }
"""

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7

from keys.errors import KeyFileError, WrongPassphraseError

SALT_BYTES: Final = 16
IV_BYTES: Final = 16
AES_KEY_BYTES: Final = 32

SCRYPT_N_MAX: Final = 1 << 20
SCRYPT_R_MAX: Final = 32
SCRYPT_P_MAX: Final = 16
SCRYPT_MEMORY_BYTES_MAX: Final = 256 << 20
SALT_BYTES_MAX: Final = 64

_SEQUENCE: Final = 0x30
_INTEGER: Final = 0x02
_OCTETS: Final = 0x04
_OBJECT: Final = 0x06
_LONG_FORM: Final = 0x80

_PBES2: Final = bytes.fromhex("2a864886f70d01050d")
_SCRYPT: Final = bytes.fromhex("2b06010401da47040b")
_AES_256_CBC: Final = bytes.fromhex("60864801650304012a")


@dataclass(frozen=True, slots=True)
class ScryptCost:
    """How hard a passphrase is to try: 128 * n * r bytes of memory, p times over.

    The default is the strongest that OWASP recommends among those that the `openssl` tool can read:
    it allows scrypt 32 MiB in key files, and n = 2^15 with r = 8 needs a little more.
    """

    n: int = 1 << 14
    r: int = 8
    p: int = 5

    def check(self) -> None:
        """Refuse a cost that is no scrypt cost, or would take the machine down.

        Raises:
            KeyFileError: n is no power of two in 2..2^20, r is not in 1..32, p not in 1..16, or the
                memory is over 256 MiB.
        """
        if not 1 < self.n <= SCRYPT_N_MAX or self.n & (self.n - 1):
            raise KeyFileError(f"scrypt N = {self.n} is no power of two up to {SCRYPT_N_MAX}")
        if not (0 < self.r <= SCRYPT_R_MAX and 0 < self.p <= SCRYPT_P_MAX):
            raise KeyFileError(f"scrypt r = {self.r} or p = {self.p} is out of range")
        if 128 * self.n * self.r > SCRYPT_MEMORY_BYTES_MAX:
            raise KeyFileError("scrypt would need more than 256 MiB of memory")


DEFAULT_COST: Final = ScryptCost()


def encrypt_pkcs8(
    private_der: bytes, passphrase: bytes, salt: bytes, iv: bytes, cost: ScryptCost = DEFAULT_COST
) -> bytes:
    """Encrypt an unencrypted PKCS#8 structure.

    Args:
        private_der: What `SoftwareKey.to_private_der` gave.
        passphrase: As the person typed it, in UTF-8; not empty.
        salt: 16 fresh random bytes.
        iv: 16 fresh random bytes.
        cost: Of scrypt.

    Returns:
        The DER of EncryptedPrivateKeyInfo.
    """
    padder = PKCS7(algorithms.AES256.block_size).padder()
    padded = padder.update(private_der) + padder.finalize()
    encryptor = _cipher(passphrase, salt, iv, cost).encryptor()
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    numbers = b"".join(_integer(number) for number in (cost.n, cost.r, cost.p))
    scrypt = _tlv(_SEQUENCE, _tlv(_OCTETS, salt) + numbers)
    derivation = _tlv(_SEQUENCE, _tlv(_OBJECT, _SCRYPT) + scrypt)
    encryption = _tlv(_SEQUENCE, _tlv(_OBJECT, _AES_256_CBC) + _tlv(_OCTETS, iv))
    parameters = _tlv(_SEQUENCE, derivation + encryption)
    algorithm = _tlv(_SEQUENCE, _tlv(_OBJECT, _PBES2) + parameters)
    return _tlv(_SEQUENCE, algorithm + _tlv(_OCTETS, ciphertext))


def decrypt_pkcs8(der: bytes, passphrase: bytes) -> bytes:
    """Undo `encrypt_pkcs8`; the padding alone tells a wrong passphrase, so parse what comes out.

    Raises:
        KeyFileError: Not DER, another scheme, or scrypt costs beyond the limits.
        WrongPassphraseError: What comes out is not padded; 1 in 256 wrong passphrases passes.
    """
    algorithm, ciphertext = _pair(_only(der, _SEQUENCE), _SEQUENCE, _OCTETS)
    parameters = _only(_named(algorithm, _PBES2), _SEQUENCE)
    derivation, encryption = _pair(parameters, _SEQUENCE, _SEQUENCE)
    iv = _only(_named(encryption, _AES_256_CBC), _OCTETS)
    salt, cost = _scrypt_parameters(_only(_named(derivation, _SCRYPT), _SEQUENCE))
    if len(iv) != IV_BYTES or not ciphertext or len(ciphertext) % IV_BYTES:
        raise KeyFileError("the encrypted key is not made of AES blocks")
    decryptor = _cipher(passphrase, salt, iv, cost).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    unpadder = PKCS7(algorithms.AES256.block_size).unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as error:
        raise WrongPassphraseError("the passphrase does not open the key file") from error


def _cipher(passphrase: bytes, salt: bytes, iv: bytes, cost: ScryptCost) -> Cipher[modes.CBC]:
    cost.check()
    try:
        scrypt = Scrypt(salt=salt, length=AES_KEY_BYTES, n=cost.n, r=cost.r, p=cost.p)
        key = scrypt.derive(passphrase)
    except MemoryError as error:  # Also what OpenSSL makes of n >= 2^(16 r).
        raise KeyFileError(f"these scrypt costs cannot be used: {cost}") from error
    return Cipher(algorithms.AES256(key), modes.CBC(iv))


def _scrypt_parameters(content: bytes) -> tuple[bytes, ScryptCost]:
    salt, rest = _take(content, _OCTETS)
    n, rest = _take(rest, _INTEGER)
    r, rest = _take(rest, _INTEGER)
    p, rest = _take(rest, _INTEGER)
    if rest and _number(_only(rest, _INTEGER)) != AES_KEY_BYTES:
        raise KeyFileError(f"scrypt must give a key of {AES_KEY_BYTES} bytes")
    if len(salt) > SALT_BYTES_MAX:
        raise KeyFileError(f"a salt of {len(salt)} bytes is over {SALT_BYTES_MAX}")
    return salt, ScryptCost(_number(n), _number(r), _number(p))


def _tlv(tag: int, content: bytes) -> bytes:
    """Return tag, length in its shortest form, content; content is at most 65,535 bytes."""
    length = len(content)
    if length < _LONG_FORM:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, _LONG_FORM | len(octets)]) + octets + content


def _integer(number: int) -> bytes:
    return _tlv(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _number(content: bytes) -> int:
    number = int.from_bytes(content[:8], "big")
    if _integer(number) != _tlv(_INTEGER, content):
        raise KeyFileError("an integer is negative, too large or not in its one DER form")
    return number


def _take(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Split off one value of the wanted tag: (its content, what follows)."""
    if data[:1] != bytes([tag]):
        raise KeyFileError("the key file is not an encrypted PKCS#8 structure with scrypt")
    length, start = int.from_bytes(data[1:2], "big"), 2
    if length > _LONG_FORM:
        start = 2 + (length ^ _LONG_FORM)
        length = int.from_bytes(data[2:start], "big")
    content = data[start : start + length]
    head = _tlv(tag, content)
    if data[: len(head)] != head or len(content) != length:
        raise KeyFileError("a length in the key file is wrong or not in its one DER form")
    return content, data[len(head) :]


def _only(data: bytes, tag: int) -> bytes:
    content, rest = _take(data, tag)
    if rest:
        raise KeyFileError("the key file has bytes behind the end of a structure")
    return content


def _pair(data: bytes, first: int, second: int) -> tuple[bytes, bytes]:
    content, rest = _take(data, first)
    return content, _only(rest, second)


def _named(data: bytes, wanted: bytes) -> bytes:
    """Return what follows the object identifier `wanted`."""
    name, rest = _take(data, _OBJECT)
    if name != wanted:
        raise KeyFileError("the key file uses another cipher or key derivation than scrypt and AES")
    return rest
