"""AMDA's ASCII time tables and catalogs: read, checked and written, line by line, without a database."""

from app.catalogs.formats import catalog, header, timetable, writer
from app.catalogs.formats.intervals import read_lines
from app.catalogs.formats.model import LineFault, Malformed, Row, Value

__all__ = ["LineFault", "Malformed", "Row", "Value", "catalog", "header", "read_lines", "timetable", "writer"]
