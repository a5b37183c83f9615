"""The pure core: `operate(workflow, status, now, observations) -> Decision`, level-triggered like Argo's own.

No I/O, no clock, no randomness: the same arguments give the same decision, and a call with nothing new changes nothing.
Neither the workflow nor the status given is ever written to.
"""

from orchestra_engine.operate.control import kills, live, resume, set_outputs
from orchestra_engine.operate.guard import guarded, known_pods
from orchestra_engine.operate.locks import LockView
from orchestra_engine.operate.main import operate, pods

__all__ = ["LockView", "guarded", "kills", "known_pods", "live", "operate", "pods", "resume", "set_outputs"]
