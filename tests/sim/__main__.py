"""`python -m tests.sim [SEEDS]`, which is `make sim SEEDS=...`: run seeds, say what happened.

SEEDS is a seed (`1234`), a range with both ends (`0..9999`) or a list of these (`3,17,100..199`).
Exit status 0 where every invariant held in every seed, else 1; what failed is printed as the
command that repeats it. Ctrl-C still gives the table. `--trace` prints every event.
"""

import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from multiprocessing import get_context

from tests.sim.power import PowerLostError
from tests.sim.simulation import Report, Simulation, simulate
from tests.sim.town import network_of

PROCESSES = 2
CHUNK = 20
PROGRESS_S = 10.0
EXIT_OK, EXIT_FAILED = 0, 1


def parse_seeds(text: str) -> list[int]:
    """Read seeds, ascending and each once."""
    seeds: set[int] = set()
    for part in text.split(","):
        first, dots, last = part.partition("..")
        seeds.update(range(int(first), int(last) + 1) if dots else (int(first),))
    return sorted(seeds)


def run_seed(seed: int) -> Report | tuple[int, str]:
    """Run one seed; what goes wrong comes back as text."""
    try:
        return simulate(seed)
    except (Exception, PowerLostError) as error:  # noqa: BLE001 - it belongs to its seed
        return seed, f"{type(error).__name__}: {error}"


def run_all(seeds: list[int]) -> Iterator[Report | tuple[int, str]]:
    """Run seeds in two processes, in no particular order."""
    if len(seeds) < CHUNK:
        yield from map(run_seed, seeds)
        return
    for count in (4, 5, 7):
        network_of(count)  # before the fork: made once
    ignore = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that collects
    with get_context("fork").Pool(PROCESSES, signal.signal, ignore) as pool:
        yield from pool.imap_unordered(run_seed, seeds, CHUNK)


def summary(reports: list[Report], took_s: float) -> str:
    """Return the table of what happened."""
    faults, deeds, checks = Counter[str](), Counter[str](), Counter[str]()
    for report in reports:
        faults += report.faults
        deeds += report.deeds
        checks += report.checks
    heights = sum(report.heights for report in reports)
    slowest = max(reports, key=lambda report: report.recovery_ms)
    roundest = max(reports, key=lambda report: report.rounds_max)
    lines = [
        f"seeds {len(reports):,}   heights {heights:,}   events {sum(r.events for r in reports):,}"
        f"   took {took_s:.0f} s",
        f"longest recovery {slowest.recovery_ms:,} ms (seed {slowest.seed})   most rounds"
        f" {roundest.rounds_max} (seed {roundest.seed})",
        f"contradictions of nodes that had forgotten {sum(r.amnesia for r in reports):,}",
    ]
    for title, counted in (("faults", faults), ("byzantine deeds", deeds), ("checks", checks)):
        lines += ["", title, *_table(counted)]
    return "\n".join(lines)


def _table(counted: Counter[str]) -> Iterable[str]:
    return (f"  {name:<34}{number:>14,}" for name, number in sorted(counted.items()))


def trace(seed: int) -> None:
    """Print every event of a seed."""
    simulation = Simulation(seed)
    sys.stdout.write(f"{simulation.nemesis.plan}\n")
    note = simulation.events.note

    def tell(text: str) -> None:
        note(text)
        now_ms = simulation.events.now_ms - simulation.town.start_ms
        states = [one.where() for one in simulation.machines]
        sys.stdout.write(f"{now_ms:>7} {text:<60} {' '.join(states)}\n")

    simulation.events.note = tell  # type: ignore[method-assign]
    simulation.run()


def main(arguments: list[str]) -> int:
    """Run what was asked for; return the exit status."""
    seeds = parse_seeds(next((one for one in arguments if one[0] != "-"), "0..9999"))
    if "--trace" in arguments:
        trace(seeds[0])
        return 0
    started_s = time.monotonic()
    reports, failures, is_whole = collect(seeds)
    if reports:
        sys.stdout.write(summary(reports, time.monotonic() - started_s) + "\n")
    for seed, text in sorted(failures):
        sys.stdout.write(f"failed: {text}\n  make sim SEEDS={seed}\n")
    return EXIT_OK if is_whole and not failures else EXIT_FAILED


def collect(seeds: list[int]) -> tuple[list[Report], list[tuple[int, str]], bool]:
    """Run seeds and tell how far it is; return what came, what failed, and whether it is all."""
    reports: list[Report] = []
    failures: list[tuple[int, str]] = []
    started_s = told_s = time.monotonic()
    try:
        for done, result in enumerate(run_all(seeds), start=1):
            if isinstance(result, Report):
                reports.append(result)
            else:
                failures.append(result)
                sys.stdout.write(f"seed {result[0]}: {result[1]}\n")
            now_s = time.monotonic()
            if now_s - told_s > PROGRESS_S:
                told_s = now_s
                rate = done / (now_s - started_s)
                text = f"{done:,} of {len(seeds):,} seeds, {rate:.1f} a second"
                sys.stdout.write(f"{text}, {len(failures)} failed\n")
                sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stdout.write("stopped; what was run until then:\n")
        return reports, failures, False
    return reports, failures, True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
