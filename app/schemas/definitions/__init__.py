"""The manifests that ship with Orchestra, written with hera; each module has a function `definition`.

`manage.py write_schemas` writes them to `schemas/*.yaml`; hera is not imported anywhere else.
"""
