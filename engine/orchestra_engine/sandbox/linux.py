"""The system calls that Python 3.11 does not offer: namespaces, mounts, capabilities.

Each function raises OSError that names the call and its object. Numbers and structures: Linux's uapi headers
(sched.h, mount.h, prctl.h, capability.h); they are the same on all architectures unless said otherwise.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_NOATIME = 1024
MS_NODIRATIME = 2048
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_RELATIME = 1 << 21
MNT_DETACH = 2

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SYS_CLONE3 = 435
_SYS_MOUNT_SETATTR = 442
_KEYCTL_JOIN_SESSION_KEYRING = 1
_SYS_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "ppc64le": 271, "s390x": 280}
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1
_CAPABILITY_VERSION_3 = 0x20080522
_KEPT = (MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME, MS_NODIRATIME, MS_RELATIME)  # statvfs uses the same bits but one

_libc = ctypes.CDLL(None, use_errno=True)
_locked = ctypes.PyDLL(None, use_errno=True)  # calls through it do not let go of the interpreter


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def fork_into(flags: int) -> int:
    """os.fork with a child in new namespaces (CLONE_NEW…), which os.fork and unshare need a second process for.

    The child of a new PID namespace is its first process. The caller must have a single thread.
    """
    arguments = (ctypes.c_uint64 * 8)(flags, 0, 0, 0, signal.SIGCHLD)  # struct clone_args
    _locked.PyOS_BeforeFork()
    pid: int = _locked.syscall(
        ctypes.c_long(_SYS_CLONE3), ctypes.byref(arguments), ctypes.c_size_t(ctypes.sizeof(arguments))
    )
    if pid == 0:
        _locked.PyOS_AfterFork_Child()
        return 0
    number = ctypes.get_errno()
    _locked.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, f"clone3({flags:#x}): {os.strerror(number)}")
    return pid


def mount(source: str, target: str, *, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount `source` on `target`."""
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None
    )
    _check(result, f"mount {kind or 'bind'} {source} on {target}")


def bind(source: str, target: str) -> None:
    """Show `source` (with what is mounted below it) at `target` as well."""
    mount(source, target, flags=MS_BIND | MS_REC)


def make_readonly(target: str) -> None:
    """Let nothing be written below the mount `target`, nor below the mounts in it (kernels before 5.12: one by one)."""
    if not _set_attributes(target, recursive=True, add=_MOUNT_ATTR_RDONLY):
        for point in mounts_below(target):
            remount(point, readonly=True)


def make_writable(target: str) -> None:
    """Let the mount `target` be written to again; the mounts in it stay as they are."""
    if not _set_attributes(target, recursive=False, clear=_MOUNT_ATTR_RDONLY):
        remount(target, readonly=False)


def _set_attributes(target: str, *, recursive: bool, add: int = 0, clear: int = 0) -> bool:
    """mount_setattr; False if the kernel does not have it."""
    attributes = (ctypes.c_uint64 * 4)(add, clear, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        target.encode(),
        ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
    if result < 0 and ctypes.get_errno() in (errno.ENOSYS, errno.EPERM):
        return False
    _check(result, f"mount_setattr {target}")
    return True


def mounts_below(target: str) -> list[str]:
    """The mount points at and below `target`, from /proc/self/mountinfo."""
    target = os.path.realpath(target)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [point for point in points if point == target or point.startswith(target.rstrip("/") + "/")]


def remount(target: str, *, readonly: bool) -> None:
    """Make one mount read-only or not; the flags that a user namespace may not lift are kept."""
    has = os.statvfs(target).f_flag
    kept = sum(flag for flag in _KEPT[:5] if has & flag) | (MS_RELATIME if has & 4096 else 0)  # ST_RELATIME is 4096
    mount("none", target, flags=MS_BIND | MS_REMOUNT | (MS_RDONLY if readonly else 0) | kept)


def pivot_root(new_root: str) -> None:
    """Make the mount `new_root` the root and let go of the old one."""
    number = _SYS_PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, f"pivot_root is not known for {os.uname().machine}")
    os.chdir(new_root)
    _check(_libc.syscall(ctypes.c_long(number), b".", b"."), f"pivot_root {new_root}")
    _check(_libc.umount2(b".", MNT_DETACH), "umount2 of the old root")
    os.chdir("/")


def _prctl(option: int, value: int, what: str) -> None:
    unused = ctypes.c_ulong(0)
    _check(_libc.prctl(option, ctypes.c_ulong(value), unused, unused, unused), what)


def become_subreaper() -> None:
    """Become the parent of every descendant that loses its own."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, "prctl(PR_SET_CHILD_SUBREAPER)")


def leave_keyring() -> None:
    """Take a new, empty session keyring: the old one may hold the user's keys. Kernels without keyrings have none."""
    if number := _SYS_KEYCTL.get(os.uname().machine):
        _libc.syscall(ctypes.c_long(number), ctypes.c_int(_KEYCTL_JOIN_SESSION_KEYRING), None)


def die_with_parent(signal_number: int) -> None:
    """Get `signal_number` when the parent dies."""
    _prctl(_PR_SET_PDEATHSIG, signal_number, "prctl(PR_SET_PDEATHSIG)")


def hide_from_ptrace() -> None:
    """Let no process of the same user read or trace this one."""
    _prctl(_PR_SET_DUMPABLE, 0, "prctl(PR_SET_DUMPABLE)")


def no_new_privileges() -> None:
    """Let no program started from here gain rights (set-user-ID and the like)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, "prctl(PR_SET_NO_NEW_PRIVS)")


def drop_capabilities() -> None:
    """Give up every capability, for this process and for what it executes."""
    for capability in range(64):
        try:
            _prctl(_PR_CAPBSET_DROP, capability, f"prctl(PR_CAPBSET_DROP, {capability})")
        except OSError as error:
            if error.errno == errno.EINVAL:
                break
            raise
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(nothing)), "capset")
