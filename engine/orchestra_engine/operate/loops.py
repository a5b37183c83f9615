"""withItems, withParam, withSequence: one step or task becomes several."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from orchestra_engine.language import LanguageError, conditions, gojson, tags

MAX_ITEMS = 20_000
_FORMAT = re.compile(r"%([-+ 0#]*)(\d{0,3})(?:\.(\d{1,3}))?([dxXobcqvU])|%%|%")
_LOOP_FIELDS = ("withItems", "withParam", "withSequence")


def expands(step: Mapping[str, Any]) -> bool:
    """Whether a step or task is a loop."""
    return bool(step.get("withItems")) or bool(step.get("withParam")) or step.get("withSequence") is not None


def _text(item: Any) -> str:
    """An item as Argo shows it in a name: JSON without the quotes of a text, lists as Go prints them."""
    if isinstance(item, list):
        return "[" + " ".join(_flat(i) for i in item) + "]"
    return _flat(item)


def _flat(item: Any) -> str:
    return gojson.quote(item)[1:-1] if isinstance(item, str) else gojson.dumps(item, html=False)


def _values(item: Any) -> tuple[dict[str, str], str]:
    """What `{{item}}` and `{{item.KEY}}` stand for, and the item's part of the node's name."""
    if isinstance(item, dict):
        values = {f"item.{k}": _flat(v) for k, v in item.items()}
        values["item"] = gojson.dumps(item)
        return values, ",".join(sorted(f"{k}:{_flat(v)}" for k, v in item.items()))
    if isinstance(item, str):
        return {"item": item}, _text(item)
    return {"item": gojson.dumps(item)}, _text(item)


def _formatted(form: str, number: int) -> str:
    def fill(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        if not found[4]:
            return "%!(NOVERB)"
        if found[4] in "dvxXo":
            kind = "d" if found[4] == "v" else found[4]
            return f"%{found[1]}{found[2]}{'.' + found[3] if found[3] else ''}{kind}" % number
        return f"{number:b}" if found[4] == "b" else chr(number)

    return _FORMAT.sub(fill, form)


def bounds(sequence: Mapping[str, Any]) -> tuple[int, int] | None:
    """The first and the last number of a `withSequence` without tags; None if it has none.

    Raises LanguageError for what are no whole numbers, and if neither end nor count is there.
    """

    def whole(name: str) -> int:
        text = str(sequence[name])
        if not re.fullmatch(r"[+-]?\d{1,18}", text):
            raise LanguageError(f'strconv.Atoi: parsing "{text}": invalid syntax')
        return int(text)

    start = whole("start") if sequence.get("start") is not None else 0
    if sequence.get("end") is not None:
        end = whole("end")
    elif sequence.get("count") is not None:
        count = whole("count")
        if count == 0:
            return None
        end = start + count - 1
    else:
        raise LanguageError("neither end nor count was specified in withSequence")
    return start, end


def _sequence(sequence: Mapping[str, Any]) -> list[Any]:
    found = bounds(sequence)
    if found is None:
        return []
    start, end = found
    if abs(end - start) >= MAX_ITEMS:
        raise LanguageError(f"withSequence makes {abs(end - start) + 1} items; at most {MAX_ITEMS} are allowed")
    form = sequence.get("format") or "%d"
    return [_formatted(form, i) for i in (range(start, end + 1) if start <= end else range(start, end - 1, -1))]


def _items(step: Mapping[str, Any]) -> list[Any]:
    if step.get("withItems"):
        found: list[Any] = step["withItems"]
    elif step.get("withParam"):
        found = _from_param(step["withParam"])
    else:
        found = _sequence(step["withSequence"])
    if len(found) > MAX_ITEMS:
        raise LanguageError(f"the loop has {len(found)} items; at most {MAX_ITEMS} are allowed")
    return found


def _from_param(text: str) -> list[Any]:
    try:
        found = gojson.loads(text, raw=True)
        if found is not None and not isinstance(found, list):
            kind = {dict: "object", str: "string", bool: "bool"}.get(type(found), "number")
            raise LanguageError(f"json: cannot unmarshal {kind} into Go value of type []v1alpha1.Item")
        return found or []
    except LanguageError as error:
        raise LanguageError(f"withParam value could not be parsed as a JSON list: {text.strip()}: {error}") from None


def _holds(condition: str) -> bool | None:
    """Whether a `when` holds; None if that cannot be said before the item is put in."""
    try:
        return conditions.evaluate(condition)
    except LanguageError:
        return None


@lru_cache(maxsize=64)
def _expanded(step_text: str, scope: tuple[tuple[str, str | None], ...]) -> tuple[dict[str, Any], ...]:
    step = json.loads(step_text)
    when = step.get("when", "")
    try:
        items = _items(step)
    except LanguageError:
        if _holds(when) is False:
            items = []
        else:
            raise
    body = json.dumps({k: v for k, v in step.items() if k not in _LOOP_FIELDS}, ensure_ascii=False)
    whole = json.loads(body)  # what all the steps share if nothing of their item stands in it
    skipped = _holds(when) is False
    base: dict[str, Any] = {k: v for k, v in scope if v is not None or not skipped}
    found = []
    for index, item in enumerate(items):
        values, shown = _values(item)
        text = tags.replace(
            body, {**base, **values}, strict=None if skipped else tags.everything, artifacts_later=skipped
        )
        one = dict(whole) if text is body else json.loads(text)
        one["name"] = f"{step['name']}({index}:{shown.replace('(', '').replace(')', '')})"
        if step.get("template"):
            one["template"] = step["template"]
        found.append(one)
    return tuple(found)


def expand(step: Mapping[str, Any], scope: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """The steps or tasks that a loop stands for, their names `a(0:x)`; shared, so never written to.

    Raises LanguageError: a list that is no JSON, too many items, a tag or expression that fails.
    """
    hooks = step.get("hooks")
    text = json.dumps({k: v for k, v in step.items() if k != "hooks"}, ensure_ascii=False)
    needed = _needed(text)
    seen = (
        tuple((k, v) for k, v in sorted(scope.items()) if k in needed)
        if needed is not None
        else tuple(sorted(scope.items()))
    )
    found = _expanded(text, seen)
    return tuple({**one, "hooks": hooks} for one in found) if hooks else found


def _needed(text: str) -> frozenset[str] | None:
    """The names of the tags of a step, or None if it has expressions (they may refer to anything)."""
    if "{{=" in text:
        return None
    return frozenset(tag.strip() for tag in tags.names(text)) | frozenset(
        tag.rpartition("{{")[2] for tag in tags.names(text) if "{{" in tag
    )
