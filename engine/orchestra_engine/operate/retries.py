"""Retry nodes: attempts one after another, by limit, policy, backoff and expression."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestra_engine.language import LanguageError, durations, expressions
from orchestra_engine.language.values import go_text
from orchestra_engine.operate import memoize
from orchestra_engine.operate.context import AttemptError, NodeError, failed, is_final, seconds_of

if TYPE_CHECKING:
    from orchestra_engine.operate.operation import Operation, Work

_TRANSIENT = (
    "i/o timeout",
    "TLS handshake timeout",
    "connection reset by peer",
    "connection refused",
    "too many requests",
    "the server is currently unable",
    "transport is closing",
    "unexpected EOF",
)
_INT = re.compile(r"[+-]?[0-9]{1,18}")
_AT_ONCE = 50  # attempts that fail without having run, in one call


def attempts(op: Operation, node: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The attempts of a Retry node, the hooks' nodes left out."""
    children = [op.board.nodes[child] for child in node.get("children", ()) if child in op.board.nodes]
    return [child for child in children if child["name"].startswith(f"{node['name']}(")]


def execute(
    op: Operation, work: Work, node: dict[str, Any] | None, strategy: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Bring a Retry node forward: its running attempt, the next one, or its end.

    Raises NodeError if the strategy itself is wrong.
    """
    if node is None:
        node = op.make(work, "Retry", "Running")
    elif node["phase"] == "Pending":
        node = op.board.mark(node["id"], "Running")
    for _ in range(_AT_ONCE):
        made = attempts(op, op.board.nodes[node["id"]])
        try:
            until = _decide(op, node["id"], made, strategy)
        except LanguageError as error:
            raise NodeError(str(error), op.board.mark(node["id"], "Error", str(error))) from None
        node = op.board.nodes[node["id"]]
        if is_final(node) or until is False:
            return node
        attempt = _attempt(op, work, node, made, until if isinstance(until, float) else None)
        if attempt is None or not is_final(attempt):
            return op.board.nodes[node["id"]]
    return op.board.mark(node["id"], "Error", f"{_AT_ONCE} attempts failed before they started")


def _attempt(
    op: Operation, work: Work, node: dict[str, Any], made: list[dict[str, Any]], until: float | None
) -> dict[str, Any] | None:
    last = made[-1] if made else None
    if last is not None and not is_final(last):
        number, name = len(made) - 1, last["name"]
        last = made[-2] if len(made) > 1 else None
    else:
        number, name = len(made), f"{work.name}({len(made)})"
        op.board.add_child(node["id"], op.board.id(name))
    flag = {**(work.options.flag or {}), "retried": True}
    if work.options.flag:  # a hook and its attempts share one flag in Argo
        op.board.put(node["id"], "nodeFlag", flag)
    again = op.again(work, name, variables(number, last))
    again = replace(again, options=replace(work.options, flag=flag, until=until))
    try:
        return op.attempt(again)
    except NodeError as error:
        # As in Argo what is wrong with an attempt itself is only tried again if the policy speaks of errors.
        if _policy(op.retry_strategy(work.template) or {}) == "OnFailure":
            failed_node = op.board.mark(node["id"], "Error", error.message)
            raise AttemptError(error.message, failed_node) from None
        return error.node


def variables(number: int, last: Mapping[str, Any] | None) -> dict[str, str]:
    """`retries` and `lastRetry.*` of an attempt."""
    code, status, duration, message = "0", "", "0", ""
    if last is not None:
        code = str((last.get("outputs") or {}).get("exitCode", "0"))
        status, message, duration = last["phase"], last.get("message", ""), _duration(last)
    return {
        "retries": str(number),
        "lastRetry.exitCode": code,
        "lastRetry.status": status,
        "lastRetry.duration": duration,
        "lastRetry.message": message,
    }


def _duration(node: Mapping[str, Any]) -> str:
    return go_text(max(seconds_of(node.get("finishedAt")) - seconds_of(node.get("startedAt")), 0.0))


def _decide(op: Operation, ident: str, made: list[dict[str, Any]], strategy: Mapping[str, Any]) -> float | bool:
    """True (or until when): go on with an attempt. False: wait. The node may be marked final."""
    if not made or not is_final(made[-1]):
        return True
    last = made[-1]
    if not failed(last):
        op.board.put(ident, "outputs", last.get("outputs"))
        memoize.save(op, last)
        _end(op, ident, made, "Succeeded")
        return False
    message = _gives_up(op, made, strategy)
    if message is not None:
        op.board.put(ident, "outputs", last.get("outputs"))
        _end(op, ident, made, last["phase"], message)
        return False
    backoff = strategy.get("backoff")
    if not backoff:
        return True
    moment = _ended_at(op, last) + _wait(backoff, len(made))
    if op.now < moment:
        op.board.mark(ident, "Running", f"Backoff for {durations.text_of(_wait(backoff, len(made)))}")
        op.board.wake_by(moment)
        op.board.section("backoff")[ident] = moment
        return False
    op.board.section("backoff").pop(ident, None)
    op.board.mark(ident, "Running", "")
    return _max_deadline(op, made, backoff) or True


def _end(op: Operation, ident: str, made: list[dict[str, Any]], phase: str, message: str = "") -> None:
    for attempt in made:
        op.board.section("ends").pop(attempt["id"], None)
    op.board.section("backoff").pop(ident, None)
    op.board.mark(ident, phase, message)


def _gives_up(op: Operation, made: list[dict[str, Any]], strategy: Mapping[str, Any]) -> str | None:
    """Why there is no further attempt, as the message of the Retry node; None: there is one."""
    last = made[-1]
    if op.shutdown:
        return f"Stopped with strategy '{op.shutdown}'"
    if op.late:
        return "retry exceeded workflow deadline"
    if _too_long(op, made, strategy.get("backoff")):
        return "Max duration limit exceeded"
    if not _covered(strategy, last):
        return str(last.get("message", ""))
    limit = _limit(strategy)
    if limit is not None and len(made) > limit:
        return "No more retries left"
    return None if _wished(strategy, made) else "retryStrategy.expression evaluated to false"


def _too_long(op: Operation, made: list[dict[str, Any]], backoff: Mapping[str, Any] | None) -> bool:
    deadline = _max_deadline(op, made, backoff) if backoff else None
    if deadline is None or backoff is None:
        return False
    return op.now > deadline or _ended_at(op, made[-1]) + _wait(backoff, len(made)) > deadline


def _wished(strategy: Mapping[str, Any], made: list[dict[str, Any]]) -> bool:
    if not strategy.get("expression"):
        return True
    scope = variables(len(made) - 1, made[-1])
    if (made[-1].get("outputs") or {}).get("exitCode") is None:
        scope["lastRetry.exitCode"] = "-1"
    return expressions.evaluate_bool(strategy["expression"], expressions.environment(scope))


def _limit(strategy: Mapping[str, Any]) -> int | None:
    return _number(strategy.get("limit"))


def _number(value: Any) -> int | None:
    """An int or a text that is one, as Go reads it. Raises LanguageError."""
    if value is None:
        return None
    if not _INT.fullmatch(str(value)):
        raise LanguageError(f"value '{value}' cannot be resolved to an int")
    return int(value)


def _covered(strategy: Mapping[str, Any], last: Mapping[str, Any]) -> bool:
    policy = _policy(strategy)
    if policy == "OnTransientError":
        return any(text in last.get("message", "") for text in _TRANSIENT)
    if policy not in ("Always", "OnError", "OnFailure"):
        raise LanguageError(f"{policy} is not a valid RetryPolicy")
    return policy == "Always" or (policy == "OnError") == (last["phase"] == "Error")


def _policy(strategy: Mapping[str, Any]) -> str:
    policy: str = strategy.get("retryPolicy") or ("Always" if strategy.get("expression") else "OnFailure")
    return policy


def _ended_at(op: Operation, last: Mapping[str, Any]) -> float:
    found = op.board.section("ends").get(last["id"])
    return float(found[1]) if found else seconds_of(last.get("finishedAt"))


def _max_deadline(op: Operation, made: list[dict[str, Any]], backoff: Mapping[str, Any]) -> float | None:
    if not backoff.get("maxDuration"):
        return None
    found = op.board.section("ends").get(made[0]["id"])
    started = float(found[0]) if found else seconds_of(made[0].get("startedAt"))
    return started + durations.argo(str(backoff["maxDuration"]))


def _wait(backoff: Mapping[str, Any], count: int) -> float:
    if not backoff.get("duration"):
        raise LanguageError("no base duration specified for retryStrategy")
    seconds = durations.argo(str(backoff["duration"]))
    factor = _number(backoff.get("factor"))
    if factor is not None and factor > 0:
        seconds *= math.pow(min(factor, 1000), min(count - 1, 100))
    if backoff.get("cap"):
        seconds = min(seconds, durations.argo(str(backoff["cap"])))
    return min(seconds, 10.0**9)
