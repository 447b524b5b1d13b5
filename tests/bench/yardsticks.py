"""How fast this machine is, by what the design measured on another one.

`architecture.md`, section 5, counts with a P-256 verification of 44 µs, a signature of 16 µs, and a
package `ecdsa` in pure Python that is 16 to 34 times slower. The figures of two machines compare
only as multiples of these; so a benchmark prints them beside its own, measured in the same run.
"""

import hashlib
import statistics
import time
from collections.abc import Callable

import ecdsa

from keys import curves
from keys.signing import SoftwareKey, verify

DESIGN_VERIFY_US = 44
ROUNDS = 9
CALLS = 400
CALLS_IN_PYTHON = 8
MESSAGE = b"civreg/yardstick/v1"


def microseconds(call: Callable[[], object], calls: int) -> float:
    """Return the processor time of one call, the median of several rounds."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(calls):
            call()
        rounds.append((time.process_time() - started) / calls * 1e6)
    return round(statistics.median(rounds), 1)


def yardsticks() -> dict[str, float]:
    """Return microseconds of a verification and a signature, by OpenSSL and in pure Python."""
    key = SoftwareKey.generate()
    signature = key.sign(MESSAGE)
    slow = ecdsa.SigningKey.generate(curve=ecdsa.NIST256p, hashfunc=hashlib.sha256)
    slow_signature, slow_key = slow.sign(MESSAGE), slow.get_verifying_key()
    assert len(slow_signature) == curves.P256_SIGNATURE_BYTES
    return {
        "p256_verify": microseconds(lambda: verify(key.public, MESSAGE, signature), CALLS),
        "p256_sign": microseconds(lambda: key.sign(MESSAGE), CALLS),
        "ecdsa_verify": microseconds(
            lambda: slow_key.verify(slow_signature, MESSAGE), CALLS_IN_PYTHON
        ),
        "ecdsa_sign": microseconds(lambda: slow.sign(MESSAGE), CALLS_IN_PYTHON),
    }


def in_verifications(entries_per_second: float, verify_us: float) -> float:
    """Return how many verifications of this machine an entry takes of one core."""
    return round(1e6 / entries_per_second / verify_us, 2)
