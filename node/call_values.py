"""Reading what stands in addresses, and writing JSON: bytes as hexadecimal, ids in either form."""

import json
import re
from typing import Final

from keys.hashing import DIGEST_BYTES, Digest
from ledger.canonical import Value
from ledger.errors import InvalidDataError
from ledger.fields import INTEGER_MAX
from ledger.ids import ID_BYTES, parse_id
from node.public_errors import MalformedRequestError
from node.routes import JSON, MSGPACK, Call, Json, Reply

_HEX_DIGEST: Final = re.compile(f"[0-9a-f]{{{2 * DIGEST_BYTES}}}")
_HEX_ID: Final = re.compile(f"[0-9a-f]{{{2 * ID_BYTES}}}")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")


def digest_of(call: Call, name: str = "digest") -> Digest:
    """Return a digest of the address.

    Raises:
        MalformedRequestError: Not 64 hexadecimal digits.
    """
    text = call.path[name]
    if not _HEX_DIGEST.fullmatch(text):
        raise MalformedRequestError("a digest in an address has 64 hexadecimal digits")
    return Digest(bytes.fromhex(text))


def id_of(call: Call, name: str = "id") -> bytes:
    """Return an id of the address, 16 bytes: in hexadecimal, or as it is shown to people.

    Raises:
        MalformedRequestError: Neither.
    """
    text = call.path[name]
    if _HEX_ID.fullmatch(text):
        return bytes.fromhex(text)
    try:
        return parse_id(text)
    except InvalidDataError as error:
        raise MalformedRequestError("an id in an address is malformed") from error


def number_of(text: str, name: str) -> int:
    """Return a number of the address or of a parameter.

    Raises:
        MalformedRequestError: Not a number from 0.
    """
    if not _NUMBER.fullmatch(text) or int(text) > INTEGER_MAX:
        raise MalformedRequestError(f"{name} is not a number", parameter=name)
    return int(text)


def query_number(call: Call, name: str, default: int) -> int:
    """Return a parameter that is a number; `default` if it is not there.

    Raises:
        MalformedRequestError: It is something else.
    """
    text = call.query.get(name)
    return default if text is None else number_of(text, name)


def json_value(value: Value) -> Json:
    """Return a value of the state or of an entry as JSON; bytes become hexadecimal."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple | list):
        return [json_value(item) for item in value]
    if isinstance(value, dict):
        return {name: json_value(item) for name, item in value.items()}
    return value


def json_reply(value: Json, status: int = 200) -> Reply:
    """Return an answer in JSON."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Reply(status=status, body=body, media=JSON)


def msgpack_reply(body: bytes, *, immutable: bool = False) -> Reply:
    """Return an answer of canonical bytes; immutable ones may be cached for ever."""
    headers = {"Cache-Control": "public, max-age=31536000, immutable"} if immutable else {}
    return Reply(body=body, media=MSGPACK, headers=headers)
