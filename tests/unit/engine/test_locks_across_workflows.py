"""Locks that several workflows want: never too many holders, served in Argo's order, and nobody is forgotten."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orchestra_engine import operate
from orchestra_engine.operate import queues
from orchestra_engine.pod import PodStatus

from tests.unit.engine.lock_simulation import CONFIGMAPS, Cluster, made, mutex, semaphore, view_of


def started_first(*manifests: dict[str, Any]) -> list[str]:
    """The workflows in the order in which their first task started, the first one given holds what it wants."""
    cluster = Cluster()
    for manifest in manifests:
        cluster.submit(manifest)
    cluster.run()
    assert {cluster.phase(name) for name in cluster.manifests} == {"Succeeded"}
    return [name.partition(".")[0] for name in cluster.started]


def test_the_highest_priority_is_served_first_then_the_oldest_then_who_waited_longest() -> None:
    order = started_first(
        made("holder", mutex("m"), priority=3),
        made("young", mutex("m"), created="2001-03-28T00:00:09Z"),
        made("second", mutex("m")),
        made("third", mutex("m")),
        made("urgent", mutex("m"), priority=5, created="2001-03-28T00:00:10Z"),
    )
    assert order == ["holder", "urgent", "second", "third", "young"]


def test_who_comes_late_does_not_overtake_one_that_waits_for_a_second_lock() -> None:
    cluster = Cluster()
    cluster.submit(made("a", mutex("x")))
    cluster.submit(made("both", mutex("x", "y")))
    cluster.submit(made("late", mutex("y"), created="2001-03-28T00:00:01Z"))
    assert cluster.started == ["a.t0"]
    message = cluster.statuses["late"]["nodes"][next(n for n in cluster.statuses["late"]["nodes"] if n != "late")]
    assert message["message"] == "Waiting for default/Mutex/y lock. Lock status: 1/1"
    cluster.run()
    assert cluster.started == ["a.t0", "both.t0", "late.t0"]


def test_the_first_in_a_queue_does_not_hold_up_the_one_it_waits_for() -> None:
    cluster = Cluster()
    cluster.submit(made("a", mutex("y"), own=mutex("x"), created="2001-03-28T00:00:05Z", suspend=True))
    cluster.submit(made("both", mutex("x", "y"), priority=9))
    assert cluster.started == []
    cluster.patch("a", suspend=False)
    cluster.run()
    assert cluster.started == ["a.t0", "both.t0"]
    assert cluster.phase("both") == "Succeeded"


def test_what_the_first_in_a_queue_cannot_take_yet_wakes_the_one_it_waits_for() -> None:
    cluster = Cluster()
    cluster.submit(made("z", mutex("a")))
    cluster.submit(made("holder", mutex("a"), own=mutex("b"), created="2001-03-28T00:00:05Z"))
    cluster.submit(made("both", mutex("a", "b"), priority=9))
    cluster.run()
    assert cluster.started == ["z.t0", "holder.t0", "both.t0"]


def test_whom_the_first_in_a_queue_comes_to_wait_for_goes_on_at_once() -> None:
    """`a` lets `first` go before it, until that waits for what `a` holds itself."""
    cluster = Cluster()
    cluster.submit(made("z", mutex("z"), created="2001-03-28T00:00:01Z"))
    cluster.submit(made("first", mutex("z", "y"), mutex("x"), priority=9, suspend=True))
    cluster.submit(made("a", mutex("y"), own=mutex("x"), created="2001-03-28T00:00:05Z", suspend=True))
    cluster.patch("first", suspend=False)
    cluster.patch("a", suspend=False)
    assert cluster.started == ["z.t0", "a.t0"]
    cluster.run()
    assert {cluster.phase(name) for name in cluster.manifests} == {"Succeeded"}


def test_one_that_is_suspended_or_terminated_while_it_waits_holds_up_nobody() -> None:
    cluster = Cluster()
    cluster.submit(made("holder", mutex("m")))
    cluster.submit(made("asleep", mutex("m"), priority=9))
    cluster.submit(made("gone", mutex("m"), priority=8))
    cluster.submit(made("next", mutex("m")))
    cluster.patch("asleep", suspend=True)
    cluster.patch("gone", shutdown="Terminate")
    cluster.run()
    assert cluster.started == ["holder.t0", "next.t0"]
    assert (cluster.phase("asleep"), cluster.phase("gone")) == ("Running", "Failed")
    cluster.patch("asleep", suspend=False)
    cluster.run()
    assert cluster.phase("asleep") == "Succeeded"


def test_a_workflow_that_waits_for_its_own_lock_is_terminated_without_having_run() -> None:
    cluster = Cluster()
    cluster.submit(made("holder", mutex("m")))
    cluster.submit(made("w", {}, own=mutex("m")))
    assert cluster.phase("w") == "Pending"
    assert cluster.statuses["w"]["message"] == "Waiting for default/Mutex/m lock. Lock status: 0/1"
    cluster.patch("w", shutdown="Terminate")
    assert (cluster.phase("w"), cluster.statuses["w"]["nodes"]) == ("Failed", {})
    cluster.run()
    assert cluster.phase("holder") == "Succeeded"


def test_the_status_tells_who_holds_and_who_waits_as_argo_does() -> None:
    cluster = Cluster()
    cluster.submit(made("a", semaphore("two"), own=mutex("m")))
    cluster.submit(made("b", semaphore("two"), semaphore("two")))
    cluster.submit(made("c", {}, own=mutex("m")))
    name = "default/ConfigMap/sizes/two"
    (first, second) = (node for node in cluster.statuses["b"]["nodes"] if node != "b")
    (task,) = (node for node in cluster.statuses["a"]["nodes"] if node != "a")
    assert cluster.statuses["a"]["synchronization"] == {
        "mutex": {"holding": [{"mutex": "default/Mutex/m", "holder": "default/a"}]},
        "semaphore": {"holding": [{"semaphore": name, "holders": [f"default/a/{task}"]}]},
    }
    assert cluster.statuses["b"]["synchronization"] == {
        "semaphore": {
            "holding": [{"semaphore": name, "holders": [f"default/b/{first}"]}],
            "waiting": [{"semaphore": name, "holders": [f"default/a/{task}", f"default/b/{first}"]}],
        }
    }
    assert cluster.statuses["b"]["nodes"][second]["synchronizationStatus"] == {"waiting": name}
    assert cluster.statuses["c"]["synchronization"] == {
        "mutex": {"waiting": [{"mutex": "default/Mutex/m", "holder": "default/a"}]}
    }
    cluster.run()
    assert not [name for name, status in cluster.statuses.items() if "synchronization" in status]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nonsense", "Waiting for default/ConfigMap/sizes/one lock. Lock status: 0/1"),
        ("0", "Failed to get semaphore limit for default/ConfigMap/sizes/one"),
    ],
)
def test_a_limit_that_is_broken_while_someone_waits_breaks_nothing(text: str, shown: str) -> None:
    cluster = Cluster()
    cluster.submit(made("holder", semaphore("one")))
    cluster.configmaps = {"sizes": {"data": {"one": text}}}
    cluster.submit(made("w", semaphore("one")))
    (node,) = (node for node in cluster.statuses["w"]["nodes"].values() if node["name"] != "w")
    assert (node["phase"], node["message"]) == ("Pending", shown)
    cluster.configmaps = CONFIGMAPS
    cluster.settle("w")
    cluster.run()
    assert cluster.phase("w") == "Succeeded"


def test_a_limit_that_is_lowered_takes_no_place_away_and_one_that_is_raised_gives_places() -> None:
    cluster = Cluster()
    for name in "abc":
        cluster.submit(made(name, semaphore("two")))
    cluster.configmaps = {"sizes": {"data": {"two": "1"}}}
    cluster.settle("c")
    (node,) = (node for node in cluster.statuses["c"]["nodes"].values() if node["name"] != "c")
    assert node["message"] == "Waiting for default/ConfigMap/sizes/two lock. Lock status: -1/1"
    cluster.end(next(iter(cluster.running)))
    assert len(cluster.started) == 2
    cluster.configmaps = CONFIGMAPS
    cluster.settle("c")
    assert len(cluster.started) == 3


@pytest.mark.parametrize("text", ["-1", " 1", "1.5", "", "0", "²", "٣"])
def test_a_limit_that_is_no_number_above_0_is_a_fault(text: str) -> None:
    cluster = Cluster()
    cluster.configmaps = {"sizes": {"data": {"one": text}}}
    cluster.submit(made("w", {}, own=semaphore("one")))
    assert cluster.phase("w") == "Failed"
    assert cluster.statuses["w"]["message"].endswith(
        "failed to initialize semaphore default/ConfigMap/sizes/one with limit"
    )


def test_a_thousand_that_wait_for_one_lock_wake_one_at_a_time() -> None:
    waiting = [
        queues.Stance(name=f"w{number}", turn=(0, "2001"), waits={"default/Mutex/m": float(number)})
        for number in range(1000)
    ]
    holder = queues.Stance(name="h", holders={"default/Mutex/m": ["default/h"]})
    assert queues.awoken(holder, queues.Stance(name="h"), reversed(waiting)) == {"w0"}
    late = queues.Stance(name="late", turn=(0, "2001"), waits={"default/Mutex/m": 2000.0})
    assert queues.awoken(queues.Stance(name="late"), late, [holder, *waiting]) == set()


@pytest.mark.parametrize(
    "locks",
    [
        {"mutexes": [{}]},
        {"mutexes": [{"name": ""}]},
        {"semaphores": [{"configMapKeyRef": {"key": "k"}}]},
        {"semaphores": [{"configMapKeyRef": {"name": "a/b", "key": "k"}}]},
        {"semaphores": [{"configMapKeyRef": {"name": "a", "key": ""}}]},
        {"semaphores": [{}]},
        mutex("m", "m"),
    ],
)
def test_a_lock_that_is_none_is_told(locks: dict[str, Any]) -> None:
    cluster = Cluster()
    cluster.submit(made("w", {}, own=locks))
    cluster.submit(made("t", locks))
    assert cluster.phase("w") == "Failed"
    assert "requested configuration is invalid: " in cluster.statuses["w"]["message"]
    (node,) = (node for node in cluster.statuses["t"]["nodes"].values() if node["name"] != "t")
    assert (node["phase"], "requested configuration is invalid: " in node["message"]) == ("Error", True)


def test_a_node_that_nobody_comes_back_to_gives_its_lock_back() -> None:
    """A dag that fails fast leaves a Retry node between two attempts, which holds the lock of the exit handler."""
    manifest = made("w", mutex("m"), {}, onExit="bye")
    tried = {"limit": 3, "backoff": {"duration": "100"}}
    manifest["spec"]["templates"][1] |= {"retryStrategy": tried}
    manifest["spec"]["templates"][0] |= {"failFast": True}
    bye = {"name": "bye", "synchronization": mutex("m"), "container": {"image": "busybox", "command": ["true"]}}
    manifest["spec"]["templates"].append(bye)
    cluster = Cluster()
    cluster.submit(manifest)
    cluster.submit(made("other", mutex("m")))
    for ident in list(cluster.running):
        cluster.settle(cluster.running.pop(ident), PodStatus(node_id=ident, phase="Failed", exit_code=1))
    cluster.run()
    assert {cluster.phase(name) for name in cluster.manifests} == {"Failed", "Succeeded"}
    assert sorted(cluster.started) == ["other.t0", "w.onExit", "w.t0(0)", "w.t1"]


@pytest.mark.parametrize("field", ["timeout", "pendingTimeout"])
def test_a_node_waits_for_its_lock_no_longer_than_it_may(field: str) -> None:
    cluster = Cluster()
    cluster.submit(made("holder", mutex("m")))
    waiting = made("w", mutex("m"))
    waiting["spec"]["templates"][1][field] = "90s"
    cluster.submit(waiting)
    decision = operate.operate(waiting, cluster.statuses["w"], cluster.now, locks=view_of(cluster, "w"))
    assert decision.wake_at is not None and cluster.now < decision.wake_at <= cluster.now + 90
    cluster.now = decision.wake_at
    cluster.settle("w")
    (node,) = (node for node in cluster.statuses["w"]["nodes"].values() if node["name"] != "w")
    assert (node["phase"], node["message"], cluster.phase("w")) == ("Failed", "timeout", "Failed")
    cluster.run()
    assert cluster.started == ["holder.t0"]


def test_a_stopped_workflow_does_not_wait_for_locks_of_others() -> None:
    cluster = Cluster()
    cluster.submit(made("holder", mutex("m")))
    stopped = made("w", mutex("m"), {"mutexes": [{"name": "own"}]})
    stopped["spec"]["templates"][0]["parallelism"] = 1
    cluster.submit(stopped)
    cluster.patch("w", shutdown="Stop")
    assert cluster.phase("w") == "Failed"
    assert cluster.started == ["holder.t0"]


def test_an_exit_handler_of_a_stopped_workflow_waits_for_its_lock() -> None:
    cluster = Cluster()
    cluster.submit(made("holder", mutex("m")))
    stopped = made("w", {}, onExit="bye")
    bye = {"name": "bye", "synchronization": mutex("m"), "container": {"image": "busybox", "command": ["true"]}}
    stopped["spec"]["templates"].append(bye)
    cluster.submit(stopped)
    cluster.patch("w", shutdown="Stop")
    assert cluster.phase("w") == "Running"
    cluster.run()
    assert cluster.started == ["holder.t0", "w.t0", "w.onExit"]
    assert cluster.phase("w") == "Failed"


_BOTH = {**semaphore("two"), **mutex("c")}
_LOCKS = st.sampled_from([mutex("c"), mutex("d"), mutex("d", "c"), semaphore("two"), _BOTH])
_WORKFLOWS = st.lists(
    st.tuples(
        st.lists(_LOCKS, min_size=1, max_size=3),
        st.sampled_from([None, None, mutex("a"), mutex("a", "b"), semaphore("one")]),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    min_size=2,
    max_size=6,
)


@given(_WORKFLOWS, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_whatever_they_want_all_come_to_an_end(wanted: list[Any], random: Random) -> None:
    cluster = Cluster()
    for number, (locks, own, priority, age) in enumerate(wanted):
        created = f"2001-03-28T00:00:0{age}Z"
        cluster.submit(made(f"w{number}", *locks, own=own, priority=priority, created=created))
        if cluster.running and random.random() < 0.5:
            cluster.end(random.choice(sorted(cluster.running)))
    cluster.run(lambda idents: random.choice(sorted(idents)))
    assert {cluster.phase(name) for name in cluster.manifests} == {"Succeeded"}
