"""The one TOML file of a node, as a frozen Config; every problem is reported at once.

    version = 1
    agency = "32 hexadecimal digits"        # whose node this is; leave it out for an observer
    name = "justice"                        # what logs call this node

    [listen]
    peer = "0.0.0.0:7400"                   # mutual TLS, other nodes only
    public = "0.0.0.0:7480"                 # /v1
    private = "127.0.0.1:7490"              # /metrics and detailed status; loopback only

    [peers]                                 # wins over the state's: agency id = host:port
    "32 hexadecimal digits" = "node.example.org:7400"

    [keys]
    passphrase_file = "keys/passphrase"     # mode 0600; left out: keys without passphrase
    unencrypted = false                     # true: accept key files without passphrase

    [work]
    verify_threads = 2                      # for signature checks
    garbage_max = 50                        # refused messages at which a peer is cut off
    snapshot_blocks = 10000                 # a snapshot for others each so many blocks; 0: none

    [watch]
    certificates = ["/etc/ssl/site.pem"]    # of a web server in front: told of before they expire

    [log]
    level = "info"

Port 0 means: choose a free one; the chosen ones stand in run/ports.json. All paths are relative to
the node's home. Time limits of consensus are no settings: they are parameters of the network.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ledger.ids import ID_BYTES, AgencyId
from node.config_problems import ConfigProblem
from node.config_reader import ConfigReader
from node.errors import ConfigError

CONFIG_FILE: Final = "config.toml"
CONFIG_BYTES_MAX: Final = 256 * 1024
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
PORT_MAX: Final = 65_535
_PORT_DIGITS_MAX: Final = 5
_NAME_CHARS_MAX: Final = 64
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_HEXADECIMAL: Final = (f"{2 * ID_BYTES} hexadecimal digits", f"{2 * ID_BYTES} chữ số thập lục phân")


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens: a host name or address, and a port 0 ... 65,535."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What an operator decides about one node.

    Attributes:
        home: The folder of everything below.
        agency: Whose node this is; None for an observer.
        name: What logs call this node.
        peer: Listener for other nodes, mutual TLS.
        public: Listener of the public API.
        private: Listener of metrics and details, on loopback.
        peers: Addresses that win over those of the state, by agency.
        passphrase_file: Absolute path, or None for key files without passphrase.
        unencrypted: Whether key files without passphrase are accepted.
        verify_threads: Threads for signature checks, 1 ... 64.
        garbage_max: Refused messages at which a peer is cut off for a while; see `node.conduct`.
        snapshot_blocks: Blocks between two snapshots that are kept for others; 0: none.
        log_level: One of `LOG_LEVELS`.
        certificates: Files whose expiry is announced; see `node.file_watch`.
    """

    home: Path
    agency: AgencyId | None
    name: str
    peer: Address
    public: Address
    private: Address
    peers: Mapping[AgencyId, Address] = field(default_factory=lambda: MappingProxyType({}))
    passphrase_file: Path | None = None
    unencrypted: bool = False
    verify_threads: int = 2
    garbage_max: int = 50
    snapshot_blocks: int = 10_000
    log_level: str = "info"
    certificates: tuple[Path, ...] = ()

    @property
    def genesis_file(self) -> Path:
        """The genesis document."""
        return self.home / "genesis.civreg"

    @property
    def keys_folder(self) -> Path:
        """Key files, `<purpose>.pem` each."""
        return self.home / "keys"

    @property
    def data_folder(self) -> Path:
        """Chain, vault, WAL and guard."""
        return self.home / "data"

    @property
    def ports_file(self) -> Path:
        """Which ports the running node listens on, as JSON."""
        return self.home / "run" / "ports.json"


def load_config(home: Path) -> Config:
    """Read `config.toml` of a home folder.

    Raises:
        ConfigError: No such file, unreadable, no TOML, or settings are wrong; all are named.
    """
    path = home / CONFIG_FILE
    try:
        raw = path.read_bytes()
    except OSError as error:
        problem = ConfigProblem(
            f"{CONFIG_FILE}: cannot be read ({error.strerror})", f"{CONFIG_FILE}: không đọc được"
        )
        raise ConfigError((problem,)) from error
    return parse_config(raw, home)


def parse_config(raw: bytes, home: Path) -> Config:
    """Read the text of a configuration; see the module's docstring for its shape.

    Args:
        raw: UTF-8, at most 256 KiB.
        home: The folder that relative paths start from.

    Raises:
        ConfigError: Not TOML, an unknown setting, or a wrong value; all are named.
    """
    if len(raw) > CONFIG_BYTES_MAX:
        raise ConfigError((f"{CONFIG_FILE}: {len(raw)} bytes, over {CONFIG_BYTES_MAX}",))
    try:
        table = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        problem = ConfigProblem(
            f"{CONFIG_FILE}: not TOML: {error}", f"{CONFIG_FILE}: không phải TOML ({error})"
        )
        raise ConfigError((problem,)) from error
    reader = ConfigReader(table)
    config = _read(reader, home)
    reader.finish()
    return config


def render_config(config: Config) -> str:
    """Return the text that `parse_config` reads back to an equal Config."""
    agency = [] if config.agency is None else [f'agency = "{config.agency.hex()}"']
    peers = [
        f'"{agency_id.hex()}" = "{address}"' for agency_id, address in sorted(config.peers.items())
    ]
    passphrase = (
        []
        if config.passphrase_file is None
        else [f"passphrase_file = {_quoted(_relative(config.passphrase_file, config.home))}"]
    )
    lines = [
        "version = 1",
        *agency,
        f"name = {_quoted(config.name)}",
        "",
        "[listen]",
        f'peer = "{config.peer}"',
        f'public = "{config.public}"',
        f'private = "{config.private}"',
        "",
        "[peers]",
        *peers,
        "",
        "[keys]",
        *passphrase,
        f"unencrypted = {str(config.unencrypted).lower()}",
        "",
        "[work]",
        f"verify_threads = {config.verify_threads}",
        f"garbage_max = {config.garbage_max}",
        f"snapshot_blocks = {config.snapshot_blocks}",
        *_render_watch(config),
        "",
        "[log]",
        f'level = "{config.log_level}"',
    ]
    return "\n".join(lines) + "\n"


def _render_watch(config: Config) -> list[str]:
    if not config.certificates:
        return []
    names = ", ".join(_quoted(_relative(path, config.home)) for path in config.certificates)
    return ["", "[watch]", f"certificates = [{names}]"]


def parse_address(text: str) -> Address:
    """Read `host:port` or `[ipv6]:port`.

    Raises:
        ValueError: Another shape, or a port over 65,535.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address stands in brackets")
    if (
        not colon
        or not host
        or not port.isascii()
        or not port.isdigit()
        or len(port) > _PORT_DIGITS_MAX
    ):
        raise ValueError("it is not host:port")
    if int(port) > PORT_MAX:
        raise ValueError(f"the port is over {PORT_MAX}")
    return Address(host, int(port))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _relative(path: Path, home: Path) -> str:
    return str(path.relative_to(home) if path.is_relative_to(home) else path)


def _read(reader: ConfigReader, home: Path) -> Config:
    version = reader.take("version")
    if version != 1 or version is True:
        reader.refuse("version", version, ("1", "1"))
    return Config(
        home=home,
        agency=_read_agency(reader),
        name=_read_text(reader, "name", "node"),
        peer=_read_address(reader, "listen.peer", "0.0.0.0:7400"),
        public=_read_address(reader, "listen.public", "0.0.0.0:7480"),
        private=_read_private(reader),
        peers=MappingProxyType(_read_peers(reader)),
        passphrase_file=_read_path(reader, "keys.passphrase_file", home),
        unencrypted=_read_flag(reader, "keys.unencrypted"),
        verify_threads=_read_int(reader, "work.verify_threads", 2, (1, 64)),
        garbage_max=_read_int(reader, "work.garbage_max", 50, (1, 100_000)),
        snapshot_blocks=_read_int(reader, "work.snapshot_blocks", 10_000, (0, 1_000_000_000)),
        log_level=_read_level(reader),
        certificates=_read_paths(reader, "watch.certificates", home),
    )


def _read_agency(reader: ConfigReader) -> AgencyId | None:
    value = reader.take("agency")
    if value is None:
        return None
    agency = _agency_id(value)
    if agency is None:
        reader.refuse("agency", value, _HEXADECIMAL)
    return agency


def _agency_id(value: object) -> AgencyId | None:
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return None
    return AgencyId(raw) if len(raw) == ID_BYTES and raw.hex() == value else None


def _read_text(reader: ConfigReader, name: str, default: str) -> str:
    value = reader.take(name, default)
    if isinstance(value, str) and 0 < len(value) <= _NAME_CHARS_MAX and value.isprintable():
        return value
    most = _NAME_CHARS_MAX
    reader.refuse(
        name, value, (f"a text of 1 ... {most} characters", f"chữ dài 1 ... {most} ký tự")
    )
    return default


def _read_address(reader: ConfigReader, name: str, default: str) -> Address:
    value = reader.take(name, default)
    return _address(reader, name, value) or parse_address(default)


def _read_private(reader: ConfigReader) -> Address:
    address = _read_address(reader, "listen.private", "127.0.0.1:7490")
    if address.host not in _LOOPBACK:
        hosts = ", ".join(_LOOPBACK)
        reader.refuse("listen.private", str(address), (f"a host of {hosts}", f"máy {hosts}"))
    return address


def _address(reader: ConfigReader, name: str, value: object) -> Address | None:
    try:
        return parse_address(value) if isinstance(value, str) else _refuse_type()
    except ValueError as error:
        example = "127.0.0.1:7400"
        reader.refuse(
            name,
            value,
            (f"host:port, for example {example} ({error})", f"máy:cổng, ví dụ {example}"),
        )
        return None


def _refuse_type() -> Address:
    raise ValueError("it is not text")


def _read_peers(reader: ConfigReader) -> dict[AgencyId, Address]:
    peers: dict[AgencyId, Address] = {}
    for name, value in reader.take_section("peers").items():
        agency = _agency_id(name)
        address = _address(reader, f"peers.{name}", value)
        if agency is None:
            reader.refuse(f"peers.{name}", name, _HEXADECIMAL)
        elif address is not None:
            peers[agency] = address
    return peers


def _read_path(reader: ConfigReader, name: str, home: Path) -> Path | None:
    value = reader.take(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value or "\0" in value:
        reader.refuse(name, value, ("a path", "một đường dẫn"))
        return None
    return home / value


def _read_paths(reader: ConfigReader, name: str, home: Path) -> tuple[Path, ...]:
    value = reader.take(name, [])
    if isinstance(value, list) and all(isinstance(one, str) and one.strip("\0") for one in value):
        return tuple([home / one for one in value])
    reader.refuse(name, value, ("a list of paths", "một danh sách đường dẫn"))
    return ()


def _read_flag(reader: ConfigReader, name: str) -> bool:
    value = reader.take(name, default=False)
    if not isinstance(value, bool):
        reader.refuse(name, value, ("true or false", "true hoặc false"))
    return value is True


def _read_int(reader: ConfigReader, name: str, default: int, bounds: tuple[int, int]) -> int:
    value = reader.take(name, default)
    if type(value) is int and bounds[0] <= value <= bounds[1]:
        return value
    within = f"{bounds[0]} ... {bounds[1]}"
    reader.refuse(name, value, (f"an integer within {within}", f"số nguyên trong {within}"))
    return default


def _read_level(reader: ConfigReader) -> str:
    value = reader.take("log.level", "info")
    if isinstance(value, str) and value in LOG_LEVELS:
        return value
    levels = ", ".join(LOG_LEVELS)
    reader.refuse("log.level", value, (f"one of {levels}", f"một trong {levels}"))
    return "info"
