"""What speasy needs around it, set before it is imported: it reads the environment while it is being loaded."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit

VERSION = "1.0.0"
_HIDDEN = "***"


@dataclass(frozen=True, kw_only=True)
class Account:
    """An AMDA account; both empty for nobody."""

    user: str = ""
    password: str = ""

    @classmethod
    def from_environment(cls) -> Account:
        """From ORCHESTRA_AMDA_USER and ORCHESTRA_AMDA_PASSWORD, which are then taken out of the environment."""
        user = os.environ.pop("ORCHESTRA_AMDA_USER", "")
        password = os.environ.pop("ORCHESTRA_AMDA_PASSWORD", "")
        return cls(user=user, password=password) if user and password else cls()

    def hide(self, text: str) -> str:
        """The text without the password, which AMDA's calls carry in their addresses."""
        if not self.password:
            return text
        for form in {self.password, quote(self.password), quote(self.password, safe=""), quote_plus(self.password)}:
            text = text.replace(form, _HIDDEN)
        return text


def cache_folder(root: Path, *, server: str, account: Account) -> Path:
    """The cache of one server and one account: the keys of speasy's cache hold neither.

    Its name is derived slowly (scrypt) from the password too, so that knowing a user's name opens nobody's cache.
    """
    salt = f"{server}\n{account.user}".encode()
    name = hashlib.scrypt(account.password.encode(), salt=salt, n=2**14, r=8, p=1, dklen=12).hex()
    return root / "amda" / name


def arrange(*, server: str, account: Account, scratch: Path, cache: Path | None) -> None:
    """Set speasy's environment; AMDA's inventory is kept in `cache`, for a day, if there is one."""
    folder = cache or scratch / "cache"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in [name for name in os.environ if name.startswith("SPEASY_")]:
        del os.environ[name]
    if urlsplit(server).hostname in ("localhost", "127.0.0.1", "::1"):
        # speasy sends everything through HTTP_PROXY and knows no NO_PROXY: a server on this machine would be lost.
        os.environ.pop("HTTP_PROXY", None)
    os.environ.update(
        HOME=str(scratch),
        XDG_CONFIG_HOME=str(scratch / "config"),
        XDG_CACHE_HOME=str(scratch / "cache"),
        XDG_DATA_HOME=str(scratch / "data"),
        MPLCONFIGDIR=str(scratch / "matplotlib"),
        MPLBACKEND="Agg",
        SPEASY_AMDA_ENTRY_POINT=server,
        SPEASY_AMDA_USERNAME=account.user,
        SPEASY_AMDA_PASSWORD=account.password,
        SPEASY_PROXY_ENABLED="false",
        SPEASY_CACHE_PATH=str(folder / "speasy"),
        SPEASY_INDEX_PATH=str(folder / "index"),
        # Every file that it downloads goes into its cache, and none is ever asked for again.
        SPEASY_CACHE_SIZE="500000000",
        # The default names the machine.
        SPEASY_CORE_HTTP_USER_AGENT=f"Orchestra-fetch/{VERSION}",
    )
    for name in ("config", "cache", "data", "matplotlib"):
        (scratch / name).mkdir(exist_ok=True)


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes with the process, whatever still writes to it."""
    return tempfile.TemporaryDirectory(prefix="fetch-", ignore_cleanup_errors=True)


class Listener(logging.Handler):
    """Prints warnings without the password, and remembers what AMDA said when it refused.

    speasy turns a refusal into None and tells the reason only to its debug log.
    """

    def __init__(self, account: Account) -> None:
        super().__init__(logging.DEBUG)
        self.account = account
        self.refusal = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = self.account.hide(record.getMessage())
        if record.name == "speasy.core.impex.client" and text.startswith("Failed: "):
            self.refusal = text.removeprefix("Failed: ").strip()[:500]
        elif record.levelno >= logging.WARNING:
            print(f"{record.levelname.lower()}: {text}", flush=True)

    def install(self, quiet: Iterable[str] = ("Proxy server is disabled",)) -> None:
        """Listen to all loggers and warnings, without warnings that begin with `quiet`."""
        for beginning in quiet:
            warnings.filterwarnings("ignore", message=beginning)
        logging.captureWarnings(True)
        logging.getLogger().addHandler(self)
        logging.getLogger("speasy.core.impex.client").setLevel(logging.DEBUG)
