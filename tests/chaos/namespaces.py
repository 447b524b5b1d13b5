"""Network namespaces for tests: made, entered, removed; what killed runs have left is swept away.

A namespace is named after the process that made it, so two test runs never meet, and what a killed
run has left is known by its process being gone.
"""

import contextlib
import ctypes
import itertools
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

FOLDER = Path("/run/netns")
DEVICE = Path("/dev/net/tun")
PREFIX = "civreg-"
NETWORK = "10.77.0"
_NUMBERS = itertools.count()
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


def address(node: int) -> str:
    """Return the address of a node, whatever connects it."""
    return f"{NETWORK}.{node + 1}"


def why_not() -> str | None:
    """Return why this machine allows no networks of tests, or None if it does."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "there is no command `ip`: install iproute2"
    try:
        with probing():
            pass
    except subprocess.CalledProcessError as error:
        return f"no network namespace can be made: {error.stderr.strip()}"
    return why_no_netem() and why_no_switch()


def why_no_switch() -> str | None:
    """Return why packets cannot be carried by `tests.chaos.switch` here, or None if they can."""
    if not DEVICE.exists():
        return f"there is no {DEVICE}: the kernel has no TUN devices, or this container hides them"
    try:
        with probing() as name, inside(name):
            run_ip("tuntap", "add", "dev", "probe", "mode", "tun")
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no TUN device can be made: {getattr(error, 'stderr', None) or error}"
    return None


def why_no_netem(run: Callable[..., object] | None = None) -> str | None:
    """Return why packets cannot be carried by `tests.chaos.netem` here, or None if they can.

    Args:
        run: Carries out a command; None: in a namespace made for the purpose.
    """
    if run is None:
        if shutil.which("tc") is None:
            return "there is no command `tc`"
        with probing() as name:
            return why_no_netem(lambda command, *words: _run(command, "-n", name, *words))
    try:
        run("ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
        run("tc", "qdisc", "add", "dev", "probe0", "root", "netem", "delay", "1ms", "loss", "1%")
    except subprocess.CalledProcessError as error:
        return f"no veth pair with netem can be made: {error.stderr.strip()}"
    return None


@contextlib.contextmanager
def probing():
    """Make a namespace to try things in."""
    name = f"{PREFIX}{os.getpid()}-probe"
    run_ip("netns", "add", name)
    try:
        yield name
    finally:
        run_ip("netns", "delete", name)


def run_ip(*words: str) -> str:
    """Run `ip` and return what it says.

    Raises:
        subprocess.CalledProcessError: It failed; `stderr` says why.
    """
    return _run("ip", *words)


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, check=True, text=True, timeout=30).stdout


@contextlib.contextmanager
def namespaces(count: int):
    """Make as many namespaces as wanted, with their loopback up; remove them at the end."""
    sweep()
    names = [f"{PREFIX}{os.getpid()}-{next(_NUMBERS)}" for _ in range(count)]
    try:
        for name in names:
            run_ip("netns", "add", name)
            run_ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            if (FOLDER / name).exists():
                run_ip("netns", "delete", name)


def sweep() -> None:
    """Remove what test runs have left that were killed."""
    for path in FOLDER.glob(f"{PREFIX}*"):
        found = re.fullmatch(rf"{PREFIX}(\d+)-\w+", path.name)
        if found and not Path(f"/proc/{found[1]}").exists():
            run_ip("netns", "delete", path.name)


@contextlib.contextmanager
def inside(name: str):
    """Let this thread be in a namespace; what it opens there stays there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(FOLDER / name)
        try:
            yield
        finally:
            _set(home)
    finally:
        os.close(home)


def enter(path: Path) -> None:
    """Put this thread into a namespace.

    Raises:
        OSError: There is none, or it is not allowed.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _set(descriptor)
    finally:
        os.close(descriptor)


def _set(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def socket_inside(name: str, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """Return a socket of a namespace, whoever uses it."""
    with inside(name):
        return socket.socket(socket.AF_INET, kind)
