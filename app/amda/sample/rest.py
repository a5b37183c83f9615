"""AMDA's REST calls (`/php/rest/*.php`) over the sample's dataset: what is answered, without any HTTP."""

from __future__ import annotations

import gzip
import math
import secrets
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.amda.sample import formats, inventory
from app.amda.sample.dataset import Dataset, Parameter, load
from app.amda.sample.faults import Faults

Query = Mapping[str, str]
_KEPT_FILES = 500
_FORMATS = {name.lower(): name for name in formats.EXTENSIONS}
_CONTENT_TYPES = {"txt": "text/plain", "vot": "application/x-votable+xml", "cdf": "application/x-cdf"}


class Refused(Exception):
    """The call cannot be answered: AMDA says `{"success": false}`."""


@dataclass(frozen=True, kw_only=True)
class File:
    """A file to download; `whole` is false where the connection breaks half-way."""

    body: bytes
    content_type: str
    modified: float
    whole: bool = True


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a call answers: a JSON object or a text, with the HTTP status."""

    value: dict[str, Any] | str
    status: int = 200


@dataclass(kw_only=True)
class Sample:
    """The state of one sample AMDA. Safe to use from several threads.

    `accounts` maps user names to passwords; without any, every pair of credentials is accepted.
    """

    accounts: Mapping[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    url: str = ""
    requests: Counter[str] = field(default_factory=Counter)
    data_requests: list[dict[str, str]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.dataset: Dataset = load()
        self._lock = threading.Lock()
        self._files: OrderedDict[str, File] = OrderedDict()
        self._tokens: OrderedDict[str, None] = OrderedDict()
        self._pending: dict[str, tuple[int, str]] = {}
        self._calls: dict[str, Callable[[Query], Answer]] = {
            "isAlive": lambda query: Answer(value={"alive": True}),
            "auth": self._auth,
            "getObsDataTree": self._tree,
            "getTimeTablesList": lambda query: self._list(
                query, "UserDefinedTimeTables", inventory.shared_tables, inventory.PRIVATE_TABLES
            ),
            "getCatalogsList": lambda query: self._list(
                query, "UserDefinedCatalogs", inventory.shared_catalogs, inventory.PRIVATE_CATALOGS
            ),
            "getParameterList": self._parameters,
            "getTimeTable": lambda query: self._table(query, "ttID", inventory.TABLE_ID, catalog=False),
            "getCatalog": lambda query: self._table(query, "catID", inventory.CATALOG_ID, catalog=True),
            "getParameter": lambda query: self._data("getParameter", query),
            "getDataset": lambda query: self._data("getDataset", query),
            "getStatus": self._status,
        }

    def answer(self, call: str, query: Query, *, agent: str = "") -> Answer | None:
        """Answer one call, `getParameter` for example; None if AMDA's sample has no such call.

        `agent` is what the client calls itself.
        """
        handler = self._calls.get(call)
        if handler is None:
            return None
        with self._lock:
            self.requests[call] += 1
            self.agents.add(agent)
        try:
            return handler(query)
        except Refused as refusal:
            return Answer(value={"success": False, "message": str(refusal)})

    def file(self, name: str) -> File | None:
        """A file that an answer pointed to; faults of files are used up here."""
        with self._lock:
            found = self._files.get(name)
            if found is None or not name.startswith("WSRESULT/"):
                return found
            if self.faults.take("drop"):
                return File(body=found.body, content_type=found.content_type, modified=found.modified, whole=False)
            return found

    def set_faults(self, faults: Faults) -> None:
        """Replace the faults in force and forget what was counted so far."""
        with self._lock:
            self.faults = faults
            self.requests.clear()
            self.data_requests.clear()
            self.agents.clear()

    def report(self) -> dict[str, Any]:
        """The faults still in force and the requests since they were set; passwords are left out."""
        with self._lock:
            return {
                "faults": self.faults.as_dict(),
                "requests": dict(self.requests),
                "data_requests": list(self.data_requests),
                "agents": sorted(self.agents),
            }

    def _store(self, name: str, body: bytes, content_type: str) -> str:
        with self._lock:
            self._files[name] = File(body=body, content_type=content_type, modified=time.time())
            while len(self._files) > _KEPT_FILES:
                self._files.popitem(last=False)
        return f"{self.url}/data/{name}"

    def _store_xml(self, text: str) -> str:
        return self._store(f"lists/{secrets.token_hex(8)}.xml", text.encode(), "text/xml")

    def _authenticated(self, query: Query) -> bool:
        user, password = query.get("userID", ""), query.get("password", "")
        if not user:
            return False
        if self.accounts and not secrets.compare_digest(
            self.accounts.get(user, "").encode() or secrets.token_bytes(8), password.encode()
        ):
            raise Refused("Unknown user or wrong password")
        return True

    def _auth(self, query: Query) -> Answer:
        token = secrets.token_hex(16)
        with self._lock:
            self._tokens[token] = None
            while len(self._tokens) > _KEPT_FILES:
                self._tokens.popitem(last=False)
        return Answer(value=token)

    # A prolog before these one-liners would break the clients that cut the address out of them.
    def _tree(self, query: Query) -> Answer:
        private = self._authenticated(query) and query.get("privateOnly", "").lower() in ("true", "1")
        with self._lock:
            if self.faults.fails("tree"):
                return self._failure()
        address = self._store_xml(inventory.tree(self.dataset, private=private))
        return Answer(value=f"<LocalDataBaseParameters>{address}</LocalDataBaseParameters>")

    def _list(self, query: Query, tag: str, shared: Callable[[], str], private: str) -> Answer:
        mine = self._authenticated(query)
        address = self._store_xml(private if mine else shared())
        return Answer(value=f"<{tag}>{address}</{tag}>" if mine else address)

    def _parameters(self, query: Query) -> Answer:
        if not self._authenticated(query):
            raise Refused("getParameterList needs userID and password")
        own = self._store_xml(inventory.PRIVATE_PARAMETERS)
        all_of_them = self._store_xml(inventory.tree(self.dataset))
        return Answer(
            value=f"<UserDefinedParameters>{own}</UserDefinedParameters>"
            f"<LocalDataBaseParameters>{all_of_them}</LocalDataBaseParameters>"
        )

    def _table(self, query: Query, key: str, known: str, *, catalog: bool) -> Answer:
        self._authenticated(query)
        if query.get(key) != known:
            raise Refused(f"{key}: there is no {query.get(key)!r} here, only {known}")
        body = inventory.votable(catalog=catalog).encode()
        return Answer(value=self._store(f"lists/{secrets.token_hex(8)}.xml", body, "application/x-votable+xml"))

    def _data(self, call: str, query: Query) -> Answer:
        with self._lock:
            shown = {key: value for key, value in query.items() if key not in ("password", "token")}
            self.data_requests.append({"call": call, **shown})
            pause = self.faults.slow_seconds
            failing = self.faults.fails("data")
        time.sleep(pause)
        if failing:
            with self._lock:
                return self._failure()
        self._authenticated(query)
        token = query.get("token")
        with self._lock:
            if token and token not in self._tokens:
                raise Refused("The token is unknown or has expired")
        address = self._make_file(self._asked(call, query), query)
        with self._lock:
            if not self.faults.in_progress:
                return Answer(value={"success": True, "dataFileURLs": address})
            process = f"process_{secrets.token_hex(6)}"
            self._pending[process] = (self.faults.in_progress, address)
        return Answer(value={"success": True, "status": "in progress", "id": process})

    def _failure(self) -> Answer:
        message = {"success": False, "message": "The sample was told to fail"}
        return Answer(value=message, status=self.faults.status or 200)

    def _asked(self, call: str, query: Query) -> Sequence[Parameter]:
        if call == "getDataset":
            if query.get("datasetID") != self.dataset.id:
                raise Refused(f"datasetID: there is no {query.get('datasetID')!r} here, only {self.dataset.id}")
            return list(self.dataset.parameters.values())
        identifier = query.get("parameterID", "")
        try:
            return [self.dataset.parameters[identifier]]
        except KeyError:
            known = ", ".join(self.dataset.parameters)
            raise Refused(f"parameterID: there is no {identifier!r} here, only {known}") from None

    def _make_file(self, parameters: Sequence[Parameter], query: Query) -> str:
        output_format = _FORMATS.get(query.get("outputFormat", "ASCII").lower())
        if output_format is None:
            raise Refused(f"outputFormat: {query['outputFormat']!r} is not one of {', '.join(formats.EXTENSIONS)}")
        time_format = query.get("timeFormat", "ISO8601").lower()
        if time_format not in ("iso8601", "unixtime"):
            raise Refused(f"timeFormat: {query['timeFormat']!r} is neither ISO8601 nor unixtime")
        if "sampling" in query:
            raise Refused("sampling: the sample serves the hours as they are and resamples nothing")
        start, stop = _instant(query, "startTime"), _instant(query, "stopTime")
        if stop < start:
            raise Refused(f"stopTime {query['stopTime']} is before startTime {query['startTime']}")
        with self._lock:
            empty, halved = self.faults.empty, self.faults.take("truncate")
        body = formats.write(
            output_format,
            self.dataset,
            parameters,
            start=start,
            stop=stop,
            iso_times=time_format == "iso8601",
            empty=empty,
        )
        extension = formats.EXTENSIONS[output_format]
        content_type = _CONTENT_TYPES[extension]
        if query.get("gzip") == "1":
            body, extension, content_type = gzip.compress(body), f"{extension}.gz", "application/gzip"
        # The address is new for each result: clients cache files under it.
        return self._store(
            f"WSRESULT/{parameters[0].id}_{secrets.token_hex(8)}.{extension}",
            body[: len(body) // 2] if halved else body,
            content_type,
        )

    def _status(self, query: Query) -> Answer:
        process = query.get("id", "")
        with self._lock:
            if process not in self._pending:
                raise Refused(f"id: there is no process {process!r}")
            polls, address = self._pending[process]
            if polls > 1:
                self._pending[process] = (polls - 1, address)
                return Answer(value={"success": True, "status": "in progress"})
            del self._pending[process]
        return Answer(value={"success": True, "status": "done", "dataFileURLs": address})


def _instant(query: Query, key: str) -> float:
    text = query.get(key, "")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not math.isfinite(seconds):
            raise Refused(f"{key}: {text!r} is neither an ISO time nor unix seconds") from None
        return seconds
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
