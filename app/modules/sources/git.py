"""A module from a git repository: fetched bare, with limits, and written out file by file.

There is no checkout: no hooks, filters, submodules or attributes of a stranger's repository are ever honoured. git gets
an argv, an environment and a configuration of its own, and only the protocols that are allowed.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from django.conf import settings

from app.modules.faults import fault, near_miss
from app.modules.metadata import FILENAME
from app.modules.sources.local import resolve
from app.modules.trees import Writer, left_out

_SCP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:(?!/?/)[^\s:-][^\s:]*")
_REF = re.compile(r"(?!-)(?!.*(?:\.\.|@\{|//|\.lock$|/$))[^\s~^:?*\[\\\x00-\x1f\x7f\ud800-\udfff]{1,255}")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_WHOLE_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LFS = b"version https://git-lfs.github.com/spec/"
_WATCH = 0.05  # s between two looks at the size of what arrives
_MESSAGE_BYTES = 4000
# How the server reaches others: certificates, proxies, keys.
_PASSED = (
    "PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY",
    "HTTPS_PROXY", "NO_PROXY", "SSH_AUTH_SOCK",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A repository that may be fetched."""

    url: str
    protocol: str  # https, ssh, file
    path: Path | None = None  # of a local one


def remote(url: str, *, allow_local: bool) -> Remote:
    """The repository that a URL means; raises `Faulty` with the path url."""
    allowed = "https://…, ssh://… or git@host:path"
    if not url or len(url) > 2048 or url.startswith("-") or re.search(r"[\s\x00-\x1f\x7f\ud800-\udfff]", url):
        raise fault("url", f"{url[:100]!r} is not the URL of a git repository; give {allowed}")
    if _SCP.fullmatch(url):
        return Remote(url=url, protocol="ssh")
    try:
        parts = urlsplit(url)
        host, password = parts.hostname or "", parts.password
    except ValueError as error:
        raise fault("url", f"{url[:100]!r} is not a URL: {error}") from None
    if password is not None or (parts.scheme == "https" and parts.username is not None):
        raise fault("url", "holds a name or password, which everybody would see; use ssh with a key instead")
    if parts.scheme == "file" or (parts.scheme == "" and url.startswith(("/", "~", "."))):
        if not (settings.SOURCE_LOCAL and allow_local):
            raise fault("url", f"repositories of the server's own disk are not taken here; give {allowed}")
        if parts.scheme == "file" and host not in {"", "localhost"}:
            raise fault("url", f"a file URL has no host; write file:///{host}{parts.path}")
        path = resolve(Path(unquote(parts.path) if parts.scheme else url))
        return Remote(url=f"file://{path}", protocol="file", path=path)
    if parts.scheme not in {"https", "ssh"} or not re.fullmatch(r"[A-Za-z0-9\[][A-Za-z0-9.:\]-]*", host):
        raise fault("url", f"{url[:100]!r} is not taken; give {allowed}")
    if (parts.username or "").startswith("-") or parts.path.strip("/") == "":
        raise fault("url", f"{url[:100]!r} names no repository; give {allowed}")
    return Remote(url=url, protocol=parts.scheme)


def ref(name: str) -> str:
    """A branch, tag or commit as git allows them; raises `Faulty` with the path ref."""
    if name and not _REF.fullmatch(name):
        raise fault("ref", f"{name[:100]!r} is no name of a branch, a tag or a commit")
    return name


def subdirectory(name: str) -> str:
    """A folder within the repository, without slashes at the ends; raises `Faulty` with the path subdirectory."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if name.startswith("/") or ".." in parts or re.search(r"[\x00-\x1f\x7f\ud800-\udfff\\]", name) or len(name) > 1000:
        raise fault("subdirectory", f"{name[:100]!r} is no folder within the repository")
    return "/".join(parts)


def export(remote: Remote, *, ref: str, subdirectory: str, writer: Writer) -> str:
    """Write the files of a ref's sub-folder, and return the commit; raises `Faulty`."""
    with tempfile.TemporaryDirectory(prefix=".git-", dir=writer.folder.parent) as scratch:
        git = _Git(Path(scratch), remote)
        commit = git.fetch(ref)
        git.write(commit, subdirectory, writer)
    return commit


class _Git:
    """git in a bare repository of its own below `scratch`."""

    def __init__(self, scratch: Path, remote: Remote) -> None:
        self.remote = remote
        self.repository = scratch / "repository"
        self.deadline = time.monotonic() + settings.SOURCE_TIMEOUT
        configuration = scratch / "config"
        # git refuses local repositories of other users unless they are named; this one was, by who registered it
        owned = (
            f"[safe]\n\tdirectory = {_quoted(remote.path)}\n\tdirectory = {_quoted(remote.path / '.git')}\n"
            if remote.path
            else ""
        )
        configuration.write_text(
            f"{owned}[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[core]\n\thooksPath = /dev/null\n"
        )
        home = scratch / "home"
        home.mkdir()
        self.environment = {name: os.environ[name] for name in _PASSED if name in os.environ} | {
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(configuration),
            "GIT_ALLOW_PROTOCOL": remote.protocol,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=20 -oPermitLocalCommand=no -oProxyCommand=none",
            "GIT_TEMPLATE_DIR": "",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
        }
        self.run("init", "--quiet", "--bare", "--template=", str(self.repository), bare=False)

    # --- fetching -----------------------------------------------------------------------------------------------
    def fetch(self, ref: str) -> str:
        """Fetch what a ref means, with as little history as it takes, and return the commit."""
        if _WHOLE_COMMIT.fullmatch(ref):
            with suppress(_Failed):
                self.run("fetch", "--quiet", "--depth=1", "--no-tags", "--", self.remote.url, ref)
                return self.commit("FETCH_HEAD")
            return self.search(ref, set())
        names = self.names(ref)
        for full in (f"refs/heads/{ref}", f"refs/tags/{ref}") if ref else ("HEAD",):
            if full in names:
                self.reach("fetch", "--quiet", "--depth=1", "--no-tags", "--", self.remote.url, full)
                return self.commit("FETCH_HEAD")
        return self.search(ref, names)

    def names(self, ref: str) -> set[str]:
        """The repository's branches and tags (all of them, for a hint), and HEAD."""
        listing = self.reach("ls-remote", "--quiet", "--", self.remote.url)
        names = {line.partition("\t")[2] for line in listing.splitlines()}
        if not ref and "HEAD" not in names:
            raise fault(
                "url", "the repository is empty" if not names else "the repository has no default branch; name a ref"
            )
        return names

    def search(self, ref: str, names: set[str]) -> str:
        """Find a commit by its (perhaps shortened) name in the whole history; the last resort."""
        if _COMMIT.fullmatch(ref):
            refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            self.reach("fetch", "--quiet", "--no-tags", "--", self.remote.url, *refs)
            with suppress(_Failed):
                return self.commit(ref)
        short = [name.split("/", 2)[2] for name in sorted(names) if name.startswith(("refs/heads/", "refs/tags/"))]
        short = [name for name in short if not name.endswith("^{}")]
        hint = near_miss(ref, short) or (f"; there are {', '.join(short[:10])}" if short else "")
        raise fault("ref", f"there is no branch, tag or commit {ref!r} in {self.remote.url}{hint}")

    def commit(self, name: str) -> str:
        """The commit that a name of the own repository means."""
        return self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()

    # --- writing ------------------------------------------------------------------------------------------------
    def write(self, commit: str, subdirectory: str, writer: Writer) -> None:
        """Write a sub-folder's files; submodules are left out."""
        try:
            tree = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{subdirectory}").strip()
            self.run("cat-file", "tree", tree)
        except _Failed:
            reason = f"there is no folder {subdirectory!r} in that commit{self.modules(commit)}"
            raise fault("subdirectory", reason) from None
        entries = list(self.entries(tree, writer))
        if not any(name == FILENAME for _, _, name in entries):
            where = f"the folder {subdirectory!r}" if subdirectory else "the repository's top folder"
            raise fault("subdirectory", f"there is no {FILENAME} in {where}{self.modules(commit)}")
        with self.process("cat-file", "--batch", stdin=True) as process:
            assert process.stdin and process.stdout
            for mode, blob, name in entries:
                process.stdin.write(f"{blob}\n".encode())
                process.stdin.flush()
                content = _blob(process.stdout)
                if mode == "120000":
                    writer.link(name, b"".join(content).decode("utf-8", "surrogateescape"))
                else:
                    writer.file(name, _no_pointer(content, name, writer), executable=mode == "100755")
        writer.finish()

    def entries(self, tree: str, writer: Writer) -> Iterator[tuple[str, str, str]]:
        """Mode, blob and name of each file, refused as soon as there are too many or they are too large."""
        total = count = 0
        with self.process("ls-tree", "-r", "-l", "-z", "--full-tree", tree) as process:
            assert process.stdout
            for record in _records(process.stdout):
                facts, _, name = record.partition(b"\t")
                mode, kind, blob, size = facts.decode().split()
                text = name.decode("utf-8", "surrogateescape")
                count += 1
                if count > settings.SOURCE_MAX_FILES:
                    raise writer.fault(f"has more than {settings.SOURCE_MAX_FILES} files")
                if kind != "blob" or left_out(text):
                    continue
                total += int(size)
                if total > settings.SOURCE_MAX_BYTES:
                    raise writer.fault(f"is larger than {settings.SOURCE_MAX_BYTES // 2**20} MiB")
                yield mode, blob, text

    def modules(self, commit: str) -> str:
        """A hint at the folders of a commit that are modules."""
        found = []
        with self.process("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit) as process:
            assert process.stdout
            for count, record in enumerate(_records(process.stdout)):
                folder, _, name = record.decode("utf-8", "replace").rpartition("/")
                if name == FILENAME:
                    found.append(folder or ".")
                if count > settings.SOURCE_MAX_FILES:
                    break
        return f"; there is one in {', '.join(found[:10])}" if found else ""

    # --- running ------------------------------------------------------------------------------------------------
    def reach(self, *arguments: str) -> str:
        """Run git against the remote; a failure is the URL's fault."""
        try:
            return self.run(*arguments)
        except _Failed as error:
            raise fault("url", f"git cannot read {self.remote.url}: {error}") from None

    def run(self, *arguments: str, bare: bool = True) -> str:
        """Run git and return what it says; raises `_Failed` with its last words, `Faulty` at a limit."""
        with tempfile.TemporaryFile() as errors, self.process(*arguments, bare=bare, errors=errors) as process:
            assert process.stdout
            said = bytearray()
            os.set_blocking(process.stdout.fileno(), False)
            while process.poll() is None:
                self.look(len(said))
                said += process.stdout.read() or b""
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_WATCH)
            said += process.stdout.read() or b""
            if process.returncode:
                errors.seek(max(0, errors.seek(0, os.SEEK_END) - _MESSAGE_BYTES))
                raise _Failed(_last_words(errors.read()))
        return said.decode("utf-8", "replace")

    def look(self, said: int) -> None:
        """Raise `Faulty` if git takes too long or brings too much."""
        if time.monotonic() > self.deadline:
            raise fault("url", f"git took longer than {settings.SOURCE_TIMEOUT:g} s")
        size = said + sum(_size(Path(parent, name)) for parent, _, names in os.walk(self.repository) for name in names)
        if size > settings.SOURCE_MAX_BYTES:
            raise fault("url", f"the repository is larger than {settings.SOURCE_MAX_BYTES // 2**20} MiB")

    @contextmanager
    def process(
        self, *arguments: str, bare: bool = True, stdin: bool = False, errors: IO[bytes] | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """git as a process that ends, with all that it started, when the block is left."""
        place = ["--git-dir", str(self.repository)] if bare else []
        process = subprocess.Popen(
            ["git", *place, *arguments],
            env=self.environment,
            cwd=self.repository.parent,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors if errors is not None else subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream:
                    with suppress(BrokenPipeError):
                        stream.close()


class _Failed(Exception):
    """git said no; the text is its last words."""


def _quoted(path: Path) -> str:
    """A value of git's configuration."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _records(stream: IO[bytes]) -> Iterator[bytes]:
    """The parts of a stream that are each ended by a NUL."""
    rest = b""
    while chunk := stream.read(2**16):
        *records, rest = (rest + chunk).split(b"\0")
        yield from records


def _blob(stream: IO[bytes]) -> Iterator[bytes]:
    """The content of one object as `git cat-file --batch` gives it."""
    left = int(stream.readline().split()[2])
    while left:
        chunk = stream.read(min(left, 2**18))
        if not chunk:
            raise fault("url", "the repository is damaged")
        left -= len(chunk)
        yield chunk
    stream.read(1)  # the line break behind it


def _no_pointer(content: Iterator[bytes], name: str, writer: Writer) -> Iterator[bytes]:
    """Pass a file on, unless it only points to Git's large file storage, which is not fetched."""
    for index, chunk in enumerate(content):
        if index == 0 and chunk.startswith(_LFS):
            raise writer.fault(f"{name!r} is only a pointer to Git LFS, which is not fetched; commit the file itself")
        yield chunk


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # git has renamed it meanwhile
        return 0


def _last_words(text: bytes) -> str:
    lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("fatal: Could not read from remote") and before:
            return before[:500]  # ssh's own words: git has none of its own
        if line.startswith(("fatal: ", "error: ")):
            return line.removeprefix("fatal: ").removeprefix("error: ")[:500]
    return (lines or ["no reason given"])[0][:500]
