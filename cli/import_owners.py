"""Owners for registers that name none, made from the journal's secret: a resumed import has them.

The same row always gives the same person and the same keys. A number that another person already
has is drawn anew: the attempt is part of what the person is made from.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from cli.generated_acts import PersonKeys
from cli.people import PeopleMaker, Person, Unit
from keys.signing import Algorithm, SoftwareKey

BORN_BEFORE: Final = "2021-12-31"
"""Ages count to this date, so that they do not depend on the day of the import."""
ADULT_AGE_MIN: Final = 24


class Owners:
    """Makes the owner of a row.

    Args:
        secret: Of the journal, 32 bytes.
        units: Communes in which they live.
    """

    def __init__(self, secret: bytes, units: Sequence[Unit]) -> None:
        self._secret = secret
        self._units = units

    def person(self, row: str, attempt: int) -> Person:
        """Return who owns a record after this row."""
        seed = self._draw("person", row, str(attempt)).hex()
        return PeopleMaker(self._units, BORN_BEFORE, seed).adult(age_min=ADULT_AGE_MIN)

    def keys(self, row: str) -> PersonKeys:
        """Return the keys of the owner after this row."""
        sign, auth, seal = (
            SoftwareKey.from_private_bytes(algorithm, self._draw(purpose, row))
            for purpose, algorithm in (
                ("sign", Algorithm.P256),
                ("auth", Algorithm.P256),
                ("seal", Algorithm.MLKEM768_X25519),
            )
        )
        return PersonKeys(sign, auth, seal)

    def _draw(self, *words: str) -> bytes:
        return hmac.new(self._secret, "\x00".join(words).encode(), sha256).digest()
