"""How a node's own process takes signals."""

from __future__ import annotations

import pytest
from orchestra_engine.sandbox.node import KillRequested, Node


def test_a_second_signal_does_not_interrupt_what_is_done_about_the_first() -> None:
    node = Node.__new__(Node)
    node.terminated, node.interruptible = False, True
    with pytest.raises(KillRequested):
        node._on_term()
    node._on_term()
    assert node.terminated
