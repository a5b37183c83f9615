"""Dies of a signal (SIGSEGV), as a fault in a library's C code does."""

import os
import signal

print("calling the library", flush=True)
os.kill(os.getpid(), signal.SIGSEGV)
