"""What `fairlead serve` is told: flags over environment over defaults, checked once, before anything is opened.

Only the command line and the composition root read settings; every layer below gets the values it needs. Environment
variables are `FAIRLEAD_` and the field's name. The token comes from FAIRLEAD_TOKEN_FILE rather than FAIRLEAD_TOKEN
where others can read the environment of a process.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from xds.model.duration import read_duration
from xds.model.instance import Address, check_port
from xds.model.problems import InvalidInput
from xds.model.quota import Quotas
from xds.net.targets import LOOPBACK, PRIVATE, Network, networks
from xds.sources.preservation import Rules
from xds.store.settings import StoreSettings

if TYPE_CHECKING:
    from xds.ads.settings import AdsSettings

_S = TypeVar("_S", bound=Any)  # a dataclass of numbers; which one is checked where it is made

PREFIX: Final = "FAIRLEAD_"
API: Final = Address("127.0.0.1", 15080)
ADS: Final = Address("127.0.0.1", 15010)

_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,4096}\Z")
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one control plane.

    `filter` is the health filter's module, None for none (splits then hold at random, not per user); `filter_config`
    a JSON file with its global defaults. `token` guards both API and ADS. `ads_limits` is what ADS bears; None for the
    defaults. `leases` says how much silence is believed, `quotas` how many instances are taken. `check_networks` are
    where checks may go besides the public internet; link-local addresses and metadata services are never called.
    """

    data_dir: Path = Path("fairlead-data")
    api: Address = API
    ads: Address = ADS
    token: str = field(default="", repr=False)
    insecure_non_loopback: bool = False
    filter: Path | None = None
    filter_config: Path | None = None
    log_level: str = "info"
    ads_limits: AdsSettings | None = None
    leases: Rules = field(default_factory=Rules)
    quotas: Quotas = Quotas()
    check_networks: tuple[Network, ...] = (*PRIVATE, *LOOPBACK)
    store: StoreSettings = field(default_factory=StoreSettings)
    webhook: tuple[str, str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse an open door beyond loopback, and files that are not there."""
        if self.token:
            check_token(self.token)
        for name, address in (("api", self.api), ("ads", self.ads)):
            if not (self.token or self.insecure_non_loopback or is_loopback(address.host)):
                raise InvalidInput(
                    f"{name} would listen on {address} for anybody: give a token (--token-file, FAIRLEAD_TOKEN_FILE), "
                    "listen on 127.0.0.1, or say --insecure-non-loopback",
                    pointer=f"/{name}",
                    code="insecure",
                )
        if self.api.port and self.api.port == self.ads.port:
            raise InvalidInput(f"api and ads are both on port {self.api.port}", pointer="/ads")
        for name, path in (("filter", self.filter), ("filter_config", self.filter_config)):
            if path is not None and not path.is_file():
                raise InvalidInput(f"{path} is not a file", pointer=f"/{name}")
        if self.log_level not in {"debug", "info", "warning", "error"}:
            raise InvalidInput(f"{self.log_level!r} is not debug, info, warning or error", pointer="/log_level")

    @classmethod
    def read(cls, env: Mapping[str, str], flags: Mapping[str, str | bool | None]) -> Settings:
        """Return the settings of flags (None = not given) over `env` over the defaults.

        Both speak text: `api` and `ads` are an address with a port, `filter` a path or `none`. InvalidInput with the
        field as pointer.
        """
        told = {name: _told(env, flags, name) for name in ("data_dir", "api", "ads", "filter", "filter_config")}
        defaults = cls.__dataclass_fields__
        filter_path = told["filter"]
        api = read_bind(told["api"], pointer="/api") if told["api"] else API
        return cls(
            data_dir=Path(told["data_dir"] or str(defaults["data_dir"].default)),
            api=api,
            ads=read_bind(told["ads"], pointer="/ads") if told["ads"] else ADS,
            token=read_token(env, _text(flags.get("token_file"))),
            insecure_non_loopback=_switch(env, flags, "insecure_non_loopback"),
            filter=None if filter_path == "none" else Path(filter_path) if filter_path else built_in_filter(),
            filter_config=Path(told["filter_config"]) if told["filter_config"] else None,
            log_level=_told(env, flags, "log_level") or "info",
            ads_limits=read_limits(env),
            leases=read_numbers(env, "LEASES_", Rules, "rule of leases"),
            quotas=read_numbers(env, "QUOTA_", Quotas, "quota"),
            check_networks=read_networks(env.get(PREFIX + "CHECK_NETWORKS", ""), api),
            store=read_store(env),
            webhook=read_webhook(env),
        )


def read_networks(text: str, api: Address) -> tuple[Network, ...]:
    """Return networks written with commas between them; nothing said is private ones, and loopback if `api` is there.

    Whoever registers at a control plane that only this host reaches may have it call this host; others may not.
    InvalidInput for what is no network.
    """
    if not text:
        return (*PRIVATE, *LOOPBACK) if is_loopback(api.host) else PRIVATE
    try:
        return networks(*[each.strip() for each in text.split(",") if each.strip() not in {"", "none"}])
    except ValueError as error:
        message = f"{PREFIX}CHECK_NETWORKS: {error}; write networks such as 10.0.0.0/8,fd00::/8, or none"
        raise InvalidInput(message, pointer="/check_networks") from None


def read_limits(env: Mapping[str, str]) -> AdsSettings:
    """Return what ADS bears: each field of AdsSettings is a variable, FAIRLEAD_ADS_MAX_STREAMS and so on.

    InvalidInput, with the field as pointer, for what is no number, no sensible one, or the name of no limit.
    """
    from xds.ads.settings import AdsSettings  # noqa: PLC0415 - loads gRPC, which only `serve` needs

    return read_numbers(env, "ADS_", AdsSettings, "limit of ADS")


def read_numbers(env: Mapping[str, str], prefix: str, kind: type[_S], what: str) -> _S:
    """Return a settings class whose numbers are variables: FAIRLEAD_, `prefix` and the field's name.

    InvalidInput as `read_limits` has it; `what` is what one of them is called.
    """
    numbers = {each.name: each.default for each in fields(kind) if isinstance(each.default, int | float)}
    told: dict[str, int | float] = {}
    for variable, text in env.items():
        if not variable.startswith(PREFIX + prefix):
            continue
        name = variable.removeprefix(PREFIX + prefix).lower()
        at = f"/{prefix.lower()}{name}"
        if name not in numbers:
            raise InvalidInput(f"{variable} is no {what}; there are {', '.join(numbers)}", pointer=at)
        try:
            told[name] = int(text) if isinstance(numbers[name], int) else float(text)
        except ValueError:
            sort = "whole number" if isinstance(numbers[name], int) else "number"
            raise InvalidInput(f"{variable} is {text!r}, not a {sort}", pointer=at) from None
    try:
        made: _S = kind(**told)
    except InvalidInput as error:
        name, _, rest = error.message.partition(" ")
        at = f"/{prefix.lower()}{name}"
        raise InvalidInput(f"{PREFIX}{prefix}{name.upper()} {rest}", pointer=at) from None
    return made


def read_store(env: Mapping[str, str]) -> StoreSettings:
    """Return how much the journal keeps: FAIRLEAD_JOURNAL_ROWS, and FAIRLEAD_JOURNAL_AGE as in `30d`; InvalidInput."""
    told: dict[str, int | float] = {}
    for name, read in (("journal_rows", int), ("journal_age", read_duration)):
        if text := env.get(PREFIX + name.upper(), ""):
            try:
                told[name] = read(text)
            except ValueError as error:
                raise InvalidInput(f"{PREFIX}{name.upper()}: {error}", pointer=f"/{name}") from None
    return StoreSettings(**told)  # type: ignore[arg-type]  # by name, each of its own type


def read_webhook(env: Mapping[str, str]) -> tuple[str, str] | None:
    """Return URL and secret of FAIRLEAD_ALARM_WEBHOOK and FAIRLEAD_ALARM_SECRET_FILE, None without; InvalidInput."""
    url, path = env.get(PREFIX + "ALARM_WEBHOOK", ""), env.get(PREFIX + "ALARM_SECRET_FILE", "")
    if not url:
        return None
    if not path:
        raise InvalidInput("a webhook is signed: name the file of its secret", pointer="/alarm_secret_file")
    try:
        return url, Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise InvalidInput(f"the secret file {path} cannot be read", pointer="/alarm_secret_file") from None


def read_token(env: Mapping[str, str], token_file: str = "") -> str:
    """Return the token of the file named by flag or FAIRLEAD_TOKEN_FILE, or of FAIRLEAD_TOKEN; "" without one."""
    path = token_file or env.get(PREFIX + "TOKEN_FILE", "")
    if not path:
        return env.get(PREFIX + "TOKEN", "")
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InvalidInput(f"the token file {path} cannot be read: {reason}", pointer="/token_file") from None
    if not token:
        raise InvalidInput(f"the token file {path} is empty", pointer="/token_file")
    return check_token(token)


def check_token(token: str) -> str:
    """Return a token that fits an HTTP header; InvalidInput, without repeating it, otherwise."""
    if not _TOKEN.match(token):
        raise InvalidInput("a token has 1 to 4096 visible ASCII characters and no spaces", pointer="/token")
    return token


def read_bind(text: str, *, pointer: str) -> Address:
    """Return the address to listen on: `127.0.0.1:15080`, `[::]:15080` or `0.0.0.0:0` (any free port)."""
    host, colon, port = text.rpartition(":")
    try:
        canonical = str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        canonical = ""
    if not colon or not canonical or not port.isascii() or not port.isdigit():
        raise InvalidInput(f"{text!r} is not an address with a port, as in 127.0.0.1:15080", pointer=pointer)
    return Address(canonical, int(port) and check_port(int(port), pointer=pointer))


def is_loopback(host: str) -> bool:
    """Say whether only this host can connect."""
    return ipaddress.ip_address(host).is_loopback


def built_in_filter() -> Path:
    """Return the module that comes with Fairlead; InvalidInput when this installation has none."""
    package = Path(__file__).resolve().parent
    places = (package / "filters" / "health.wasm", package.parent / "filters" / "health.wasm")
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise InvalidInput(
            "this installation has no health.wasm: name one with --filter PATH, or say --filter none "
            "(splits then hold at random instead of per user)",
            pointer="/filter",
        )
    return found


def _told(env: Mapping[str, str], flags: Mapping[str, str | bool | None], name: str) -> str:
    return _text(flags.get(name)) or env.get(PREFIX + name.upper(), "")


def _text(flag: str | bool | None) -> str:
    return flag if isinstance(flag, str) else ""


def _switch(env: Mapping[str, str], flags: Mapping[str, str | bool | None], name: str) -> bool:
    if flags.get(name):
        return True
    text = env.get(PREFIX + name.upper(), "").lower()
    if text not in _TRUE | _FALSE:
        raise InvalidInput(f"{PREFIX}{name.upper()} is {text!r}, neither true nor false", pointer=f"/{name}")
    return text in _TRUE
