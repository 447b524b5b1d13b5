"""How often one address may ask: a bucket of tokens for each, filled at a steady rate; bounded.

Pure: the time is an argument.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

ADDRESSES_MAX: Final = 20_000
"""Addresses that are remembered; the one that was silent longest is forgotten first."""


@dataclass(slots=True)
class _Bucket:
    tokens_milli: int
    filled_ms: int


class RateLimits:
    """Buckets of tokens by whatever names the asker.

    Args:
        rate: Tokens that come back each second.
        burst: Tokens of a full bucket.
        addresses_max: How many buckets are remembered.
        seconds: In how many seconds `rate` tokens come back, for what comes back slowly.
    """

    def __init__(
        self,
        rate: int = 2_000,
        burst: int = 4_000,
        addresses_max: int = ADDRESSES_MAX,
        seconds: int = 1,
    ) -> None:
        self._rate = rate
        self._token = _TOKEN * seconds
        self._burst = burst
        self._addresses_max = addresses_max
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, address: str, now_ms: int) -> int:
        """Take a token; return 0, or after how many milliseconds there will be one.

        Args:
            address: Who asks.
            now_ms: Monotonic time.
        """
        wait_ms = self.wait_ms(address, now_ms)
        if not wait_ms:
            self.spend(address, 1, now_ms)
        return wait_ms

    def wait_ms(self, address: str, now_ms: int, tokens: int = 1) -> int:
        """Return 0 if there are so many tokens, or after how many milliseconds there will be."""
        lacking = tokens * self._token - self._filled(address, now_ms).tokens_milli
        return max(0, -(-lacking // self._rate))

    def spend(self, address: str, tokens: int, now_ms: int) -> None:
        """Take tokens for what was done already; debts go down to an empty bucket's double."""
        bucket = self._filled(address, now_ms)
        least = -self._burst * self._token
        bucket.tokens_milli = max(least, bucket.tokens_milli - tokens * self._token)

    def give_back(self, address: str, tokens: int, now_ms: int) -> None:
        """Put tokens back that turned out to be well spent; a full bucket stays full."""
        bucket = self._filled(address, now_ms)
        full = self._burst * self._token
        bucket.tokens_milli = min(full, bucket.tokens_milli + tokens * self._token)

    def _filled(self, address: str, now_ms: int) -> _Bucket:
        bucket = self._buckets.get(address)
        if bucket is None:
            bucket = self._buckets[address] = _Bucket(self._burst * self._token, now_ms)
            if len(self._buckets) > self._addresses_max:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(address)
        passed_ms = max(0, now_ms - bucket.filled_ms)
        full = self._burst * self._token
        bucket.tokens_milli = min(full, bucket.tokens_milli + passed_ms * self._rate)
        bucket.filled_ms = now_ms
        return bucket


_TOKEN: Final = 1_000
