"""Writes to its log what no reader expects, then one event."""

import sys
from pathlib import Path

log = sys.stdout.buffer
log.write("Sonnenwind, vent solaire, 太陽風, ☀️, \u202eright to left\u202c\n".encode())
log.write(b"bytes that are no UTF-8: \xff\xfe\x80\xc3( \x00 end\n")
log.write(bytes(range(256)) + b"\n")
log.write(b"\x1b[31mred\x1b[0m \x1b]0;title\x07 <script>alert('log')</script>\n")
log.write(b"progress 1%\rprogress 50%\rprogress 100%\n")
log.write(b"x" * 3_000_000 + b"\n")
log.write("a line without an end, é".encode()[:-1])
log.flush()
Path(sys.argv[1], "events.txt").write_text("2001-03-28T00:00:00 2001-03-28T01:00:00\n")
