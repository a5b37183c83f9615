"""pre_process and post_process: commands as lists of words; no shell ever runs them."""

from __future__ import annotations

import re
import shlex

# What starts a line of the first dialect's Dockerfiles; a program of that name is written in small letters.
DOCKERFILE = re.compile(
    r"(ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL|STOPSIGNAL|USER"
    r"|VOLUME|WORKDIR)\s"
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_OPERATORS = frozenset("|&;<>()\n")
_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.", re.DOTALL)
_DOUBLE_QUOTED = re.compile(r"'[^']*'|\\.", re.DOTALL)


def split(text: str) -> list[str]:
    """The words of a command written as for a shell.

    Raises ValueError, saying what to do instead, for what only a shell can do and for Dockerfile lines.
    """
    if match := DOCKERFILE.match(text.lstrip()):
        raise ValueError(
            f"is a Dockerfile line ({match[1]}); environments are made without Dockerfiles: name packages in "
            "install.requirements, and write commands as lists of words that run before or after the module"
        )
    if found := _shell_only(text.strip()):
        raise ValueError(
            f"needs a shell for {found!r}, and no shell runs it; write one command in each entry, or put the rest "
            "into a script of the module"
        )
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"cannot be split into words: {str(error).lower()}") from None
    if not words or not words[0]:
        raise ValueError("names no command")
    if _ASSIGNMENT.match(words[0]):
        raise ValueError(f"begins with the variable {words[0]!r}; write env {words[0]} before the command")
    return words


def _shell_only(text: str) -> str:
    """The first part of a text that only a shell would understand, or nothing."""
    bare = _QUOTED.sub(lambda match: " " * len(match[0]), text)
    for index, character in enumerate(bare):
        if character in _OPERATORS:
            return "a line break" if character == "\n" else bare[index : index + 2].strip()
    expanded = _DOUBLE_QUOTED.sub(lambda match: " " * len(match[0]), text)
    if match := re.search(r"`|\$\(|\$[{A-Za-z_0-9?@*#!$]\w*", expanded):
        return match[0]
    return ""
