"""sprig 3.3 (https://masterminds.github.io/sprig/): its pure functions, with Go's types, as expressions call them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestra_engine.language import Refused
from orchestra_engine.language.sprig import codes, dates, dicts, lists, numbers, patterns, text, versions
from orchestra_engine.language.values import Function, signatures

# Why a function that Argo has is refused: what it gives is another thing each time, or is no business of a workflow.
_CLOCK, _CHANCE = "it reads the clock", "it gives something else each time"
REFUSED = {
    **dict.fromkeys(("ago", "now"), _CLOCK),
    **dict.fromkeys(("randAlphaNum", "randAlpha", "randAscii", "randNumeric", "randInt", "randBytes"), _CHANCE),
    **dict.fromkeys(("shuffle", "uuidv4", "bcrypt", "htpasswd", "encryptAES"), _CHANCE),
    **dict.fromkeys(("genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert"), _CHANCE),
    **dict.fromkeys(("genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey"), _CHANCE),
    "getHostByName": "it asks the network",
    "decryptAES": "it needs a cipher that the engine does not carry",
    "buildCustomCert": "it makes certificates",
}
_SAME = {"must" + name[0].upper() + name[1:]: name for name in lists.MUST | dicts.MUST | patterns.MUST | codes.MUST}
_SAME |= {"mustToDate": "toDate", "mustDateModify": "dateModify", "must_date_modify": "dateModify"}


def _refused(name: str) -> Function:
    def call(*_arguments: Any) -> Any:
        raise Refused(f"sprig.{name} is not available here: {REFUSED[name]}. Compute it in a script")

    return Function(name, call, signatures("any... > any")[0])


def _collected() -> dict[str, Function]:
    tables: list[dict[str, tuple[str, Callable[..., Any]]]] = [
        text.FUNCTIONS,
        numbers.FUNCTIONS,
        lists.FUNCTIONS,
        dicts.FUNCTIONS,
        codes.FUNCTIONS,
        dates.FUNCTIONS,
        patterns.FUNCTIONS,
        versions.FUNCTIONS,
    ]
    found = {
        name: Function(name, call, signatures(types)[0]) for table in tables for name, (types, call) in table.items()
    }
    for name, other in _SAME.items():
        if name not in found:
            found[name] = Function(name, found[other].call, found[other].signature)
    return found


PURE = _collected()
FUNCTIONS: dict[str, Function] = PURE | {name: _refused(name) for name in REFUSED}
