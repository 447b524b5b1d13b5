# The part of msgpack that ledger.canonical and the verifier use; msgpack 1.2 ships no types.

from collections.abc import Callable
from typing import Any

def packb(o: object) -> bytes: ...
def unpackb(
    packed: bytes,
    *,
    use_list: bool = ...,
    strict_map_key: bool = ...,
    raw: bool = ...,
    ext_hook: Callable[[int, bytes], object] = ...,
) -> Any: ...

class ExtType:
    def __init__(self, code: int, data: bytes) -> None: ...

class Timestamp:
    def __init__(self, seconds: int, nanoseconds: int = ...) -> None: ...
