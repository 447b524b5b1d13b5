"""How the node does, in words: what is wrong, why, and what to do about it.

A probe looks at one thing and returns a finding or None. Findings have a code that never changes, a
sentence about the cause and one about the cure, in both languages.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from node.routes import Json

Text = tuple[str, str]
"""Vietnamese and English."""

GIBIBYTE: Final = 1024**3
DISK_WARN_BYTES: Final = 5 * GIBIBYTE
DISK_BAD_BYTES: Final = GIBIBYTE // 2
SKEW_WARN_MS: Final = 250
SKEW_BAD_MS: Final = 500
POOL_WARN_PERCENT: Final = 80
STILL_WARN_FACTOR: Final = 3
"""A block older than so many idle times is news."""
_PERCENT: Final = 100


@unique
class Level(StrEnum):
    """How bad it is; also the word for the whole node."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something an operator should know.

    Attributes:
        code: Stable.
        level: How bad it is.
        cause: What is the matter.
        cure: What to do.
    """

    code: str
    level: Level
    cause: Text
    cure: Text

    def to_json(self) -> Json:
        """Return the finding for the status page."""
        return {
            "code": self.code,
            "level": self.level.value,
            "cause": {"vi": self.cause[0], "en": self.cause[1]},
            "cure": {"vi": self.cure[0], "en": self.cure[1]},
        }


Probe = Callable[[], Finding | None]


class Health:
    """Asks all probes.

    Args:
        probes: Each looks at one thing.
    """

    def __init__(self, probes: Iterable[Probe]) -> None:
        self._probes = tuple(probes)

    def findings(self) -> list[Finding]:
        """Return what is wrong, the worst first."""
        found = [finding for probe in self._probes if (finding := probe()) is not None]
        return sorted(found, key=lambda finding: finding.level is not Level.BAD)

    def word(self) -> Level:
        """Return the worst level."""
        levels = {finding.level for finding in self.findings()}
        return next((level for level in (Level.BAD, Level.WARN) if level in levels), Level.OK)


def check_disk(free_bytes: int) -> Finding | None:
    """Announce a disk that fills up before it hurts."""
    if free_bytes >= DISK_WARN_BYTES:
        return None
    bad = free_bytes < DISK_BAD_BYTES
    free = free_bytes // (1024 * 1024)
    return Finding(
        code="disk_low",
        level=Level.BAD if bad else Level.WARN,
        cause=(
            f"Thư mục dữ liệu chỉ còn {free} MiB trống.",
            f"The data folder has only {free} MiB left.",
        ),
        cure=(
            "Giải phóng hoặc thêm dung lượng; không xóa tệp nào trong thư mục dữ liệu.",
            "Free or add space; delete nothing inside the data folder.",
        ),
    )


def check_skew(skew_ms: int) -> Finding | None:
    """Announce a clock that goes wrong before votes are lost by it."""
    if abs(skew_ms) < SKEW_WARN_MS:
        return None
    return Finding(
        code="clock_skew",
        level=Level.BAD if abs(skew_ms) >= SKEW_BAD_MS else Level.WARN,
        cause=(
            f"Đồng hồ lệch khoảng {skew_ms} ms so với các nút khác.",
            f"The clock is about {skew_ms} ms away from those of the other nodes.",
        ),
        cure=(
            "Kiểm tra dịch vụ đồng bộ giờ (NTP, chrony) của máy này.",
            "Check this machine's time service (NTP, chrony).",
        ),
    )


def check_pool(entries: int, entries_max: int) -> Finding | None:
    """Announce a pool that fills up."""
    if entries * _PERCENT < entries_max * POOL_WARN_PERCENT:
        return None
    return Finding(
        code="pool_filling",
        level=Level.WARN,
        cause=(
            f"{entries} hồ sơ đang chờ, tối đa {entries_max}.",
            f"{entries} entries wait, of at most {entries_max}.",
        ),
        cure=(
            "Xem mạng có tạo khối không; bảo người gửi chậm lại.",
            "See whether the network makes blocks; ask submitters to slow down.",
        ),
    )


def check_peers(reachable: int, needed: int, total: int) -> Finding | None:
    """Announce peers that are gone; without a quorum nothing is decided.

    Args:
        reachable: Validators that answer, this one included.
        needed: How many make a quorum.
        total: All validators.
    """
    if reachable >= total:
        return None
    return Finding(
        code="peers_gone",
        level=Level.BAD if reachable < needed else Level.WARN,
        cause=(
            f"Liên lạc được {reachable} trên {total} nút; cần {needed} để quyết định.",
            f"{reachable} of {total} validators are in touch; {needed} are needed to decide.",
        ),
        cure=(
            "Kiểm tra mạng và tường lửa tới các nút đó; hỏi người vận hành của họ.",
            "Check network and firewall towards them; ask their operators.",
        ),
    )


def check_progress(age_ms: int, idle_ms: int, waiting: int) -> Finding | None:
    """Announce that no block comes though one should.

    Args:
        age_ms: Since the newest block came.
        idle_ms: After which the network makes a block even without entries.
        waiting: Entries in the pool.
    """
    if age_ms < idle_ms * STILL_WARN_FACTOR:
        return None
    seconds = age_ms // 1_000
    return Finding(
        code="no_blocks",
        level=Level.BAD,
        cause=(
            f"Đã {seconds} giây không có khối mới; {waiting} hồ sơ đang chờ.",
            f"No block for {seconds} seconds; {waiting} entries wait.",
        ),
        cure=(
            "Xem các nút khác có chạy và liên lạc được không: civreg node doctor.",
            "See whether the other nodes run and are in touch: civreg node doctor.",
        ),
    )


def check_behind(height: int, network_height: int) -> Finding | None:
    """Say that the node is catching up."""
    if network_height <= height + 1:
        return None
    return Finding(
        code="behind",
        level=Level.WARN,
        cause=(
            f"Nút ở khối {height}, mạng ở khối {network_height}.",
            f"This node is at block {height}, the network at {network_height}.",
        ),
        cure=(
            "Đợi: nút tự lấy các khối còn thiếu. Nếu khối không tăng, xem nhật ký.",
            "Wait: it fetches the missing blocks. If its height does not grow, read the log.",
        ),
    )
