"""What holds for the whole of service/: sizes, rooms, packages, encodings, no call that only POSIX knows."""

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "service" / "usher"
MODULES = sorted(SERVICE.rglob("*.py"))
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 40
PATIENCE_SECONDS = 120

DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.AugAssign)
POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "spwd", "syslog", "termios", "tty"}
POSIX_OF_OS = {
    "EX_OK",
    "O_ASYNC",
    "O_CLOEXEC",
    "O_DIRECT",
    "O_DIRECTORY",
    "O_DSYNC",
    "O_NDELAY",
    "O_NOATIME",
    "O_NOCTTY",
    "O_NOFOLLOW",
    "O_NONBLOCK",
    "O_PATH",
    "O_RSYNC",
    "O_SYNC",
    "O_TMPFILE",
    "RTLD_NOW",
    "WEXITSTATUS",
    "WIFEXITED",
    "WIFSIGNALED",
    "WNOHANG",
    "WTERMSIG",
    "chflags",
    "chown",
    "chroot",
    "confstr",
    "copy_file_range",
    "ctermid",
    "eventfd",
    "fchdir",
    "fchmod",
    "fchown",
    "fdatasync",
    "fork",
    "forkpty",
    "fpathconf",
    "fstatvfs",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getloadavg",
    "getpgid",
    "getpgrp",
    "getpriority",
    "getresuid",
    "getsid",
    "getuid",
    "getxattr",
    "initgroups",
    "kill",
    "killpg",
    "lchmod",
    "lchown",
    "listxattr",
    "lockf",
    "major",
    "makedev",
    "memfd_create",
    "minor",
    "mkfifo",
    "mknod",
    "nice",
    "openpty",
    "pathconf",
    "pidfd_open",
    "pipe2",
    "posix_fadvise",
    "posix_fallocate",
    "posix_spawn",
    "posix_spawnp",
    "pread",
    "preadv",
    "ptsname",
    "pwrite",
    "pwritev",
    "readv",
    "register_at_fork",
    "sched_getaffinity",
    "sched_setaffinity",
    "sched_yield",
    "sendfile",
    "setegid",
    "seteuid",
    "setgid",
    "setgroups",
    "setpgid",
    "setpriority",
    "setregid",
    "setresuid",
    "setreuid",
    "setsid",
    "setuid",
    "setxattr",
    "splice",
    "statvfs",
    "sync",
    "sysconf",
    "tcgetpgrp",
    "tcsetpgrp",
    "ttyname",
    "uname",
    "wait",
    "wait3",
    "wait4",
    "waitid",
    "waitpid",
    "writev",
}
POSIX_OF_SIGNAL = {
    "SIGALRM",
    "SIGCHLD",
    "SIGHUP",
    "SIGKILL",
    "SIGPIPE",
    "SIGQUIT",
    "SIGUSR1",
    "SIGUSR2",
    "alarm",
    "setitimer",
    "pthread_kill",
    "SIGCONT",
    "SIGIO",
    "SIGSTOP",
    "SIGTSTP",
    "SIGWINCH",
    "pause",
    "pthread_sigmask",
    "sigpending",
    "sigtimedwait",
    "sigwait",
    "siginterrupt",
}
POSIX_OF_SELECT = {"epoll", "kqueue", "poll", "devpoll"}
POSIX_OF_SOCKET = {"AF_UNIX", "AF_NETLINK", "MSG_DONTWAIT", "MSG_NOSIGNAL", "SO_REUSEPORT", "recvmsg", "sendmsg"}
POSIX_OF_TIME = {"tzset", "clock_gettime", "clock_settime", "pthread_getcpuclockid"}
POSIX_OF_PATH = {"chown", "owner", "is_mount"}
# `rename` fails on Windows where the target exists; `replace` does not, anywhere. Links need a privilege there.
UNLIKE_ON_WINDOWS = {"rename", "renames", "symlink", "symlink_to", "hardlink_to", "link"}
POSIX_BY_MODULE = {
    "os": POSIX_OF_OS | UNLIKE_ON_WINDOWS,
    "signal": POSIX_OF_SIGNAL,
    "select": POSIX_OF_SELECT,
    "socket": POSIX_OF_SOCKET,
    "time": POSIX_OF_TIME,
    "shutil": {"chown"},
}
# Arguments that Windows refuses or ignores.
POSIX_ARGUMENTS = {"preexec_fn", "start_new_session", "process_group", "pass_fds", "umask", "dir_fd"}
POSIX_TESTS = {"os.name == 'posix'", "os.name != 'nt'", "sys.platform != 'win32'", "sys.platform == 'linux'"}
WINDOWS_TESTS = {"os.name == 'nt'", "os.name != 'posix'", "sys.platform == 'win32'"}
POSIX_PLACES = re.compile(r"/(tmp|var|etc|dev|proc|usr|run|home|bin|sbin)(/|$)")


def shown(path: Path) -> str:
    """Return a module's path below the checkout."""
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    """Return a module's syntax."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def setup_cfg() -> configparser.ConfigParser:
    """Return what the distribution says about itself."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_module_and_its_functions_are_short(path: Path) -> None:
    """No module over 300 lines, no function over 40."""
    lines = path.read_text(encoding="utf-8").count("\n")
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert (lines <= MAX_MODULE_LINES, long) == (True, [])


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_module_opens_by_saying_what_it_owns(path: Path) -> None:
    """Every package and every module has a docstring."""
    assert ast.get_docstring(tree(path))


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_importing_does_nothing_but_define(path: Path) -> None:
    """At the top of a module stand imports, definitions and entries of its own tables; nothing is opened or started."""
    module = tree(path)
    own = {node.name for node in module.body if isinstance(node, ast.FunctionDef) and node.name.startswith("_")}
    odd = [
        ast.unparse(node) for node in module.body if not isinstance(node, DEFINITIONS) and not is_harmless(node, own)
    ]
    assert odd == []


def is_harmless(node: ast.stmt, own: set[str]) -> bool:
    """Say whether a statement is a docstring, for type checkers, or an entry made by a function of the module."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return ast.unparse(node.value.func) in own
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def test_the_packages_of_the_distribution_are_the_folders() -> None:
    """A folder that is not listed is missing from the wheel; one that is gone breaks the build."""
    folders = {
        path.parent.relative_to(SERVICE.parent).as_posix().replace("/", ".") for path in SERVICE.rglob("__init__.py")
    }
    mapped = {f"usher.{name}" for name in ("policies", "schemas") if (ROOT / name / "__init__.py").is_file()}
    listed = setup_cfg()["options"]["packages"].split()
    assert sorted(listed) == sorted(folders | mapped)
    assert len(mapped) == 2


def test_every_folder_with_modules_is_a_package() -> None:
    """Else its modules are left out of the wheel without a word."""
    assert [shown(path) for path in MODULES if not (path.parent / "__init__.py").is_file()] == []


def test_every_room_stands_in_the_contract_of_layers() -> None:
    """A new folder without a place in the order could import anything."""
    layers = setup_cfg()["importlinter:contract:rooms"]["layers"].replace("|", " ").split()
    rooms = {
        f"usher.{path.stem}" for path in SERVICE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert rooms - {"usher.__init__"} == set(layers)


def test_imports_go_downwards_only() -> None:
    """import-linter keeps every contract of setup.cfg, and there are several."""
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [program, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 broken" in result.stdout
    assert len([name for name in setup_cfg().sections() if name.startswith("importlinter:contract:")]) >= 6


def posix_only(path: Path) -> Iterator[str]:
    """Yield imports and attributes that Windows lacks and that no `hasattr`, `getattr` or platform test guards."""
    module = tree(path)
    guarded = {
        id(node)
        for branch in ast.walk(module)
        if isinstance(branch, ast.If)
        for part in posix_part(branch)
        for node in ast.walk(part)
    }
    for node in ast.walk(module):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in POSIX_MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {alias.name for alias in node.names}
            bad = POSIX_BY_MODULE.get(node.module, set()) & names
            yield from (*bad, *({node.module} & POSIX_MODULES))
        elif isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            module_name = owner.split(".")[0] if owner.startswith("signal.") else owner
            if node.attr in POSIX_BY_MODULE.get(module_name, set()):
                yield f"{owner}.{node.attr}"
        elif isinstance(node, ast.Call):
            yield from posix_call(node)


def posix_call(node: ast.Call) -> Iterator[str]:
    """Yield what of a call Windows cannot do: methods of paths, arguments, and forms of `strftime`."""
    yield from (f"{keyword.arg}=" for keyword in node.keywords if keyword.arg in POSIX_ARGUMENTS)
    if not isinstance(node.func, ast.Attribute):
        return
    name, owner = node.func.attr, ast.unparse(node.func.value)
    # What belongs to `os` is found by its name already.
    if (name in POSIX_OF_PATH and not node.args) or (name in UNLIKE_ON_WINDOWS and owner != "os"):
        yield f"{owner}.{name}()"
    texts = [value.value for value in node.args if isinstance(value, ast.Constant)]
    if name == "strftime" and any(isinstance(text, str) and "%-" in text for text in texts):
        yield f"{owner}.strftime('%-')"


def posix_places(module: ast.Module) -> Iterator[str]:
    """Yield texts that name a place of a POSIX system; docstrings may."""
    told = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    for node in ast.walk(module):
        if not isinstance(node, ast.Constant) or id(node) in told:
            continue
        if isinstance(node.value, str) and POSIX_PLACES.match(node.value):
            yield f"{node.lineno}: {node.value}"


def posix_part(branch: ast.If) -> list[ast.stmt]:
    """Return what of an `if` Windows never runs: one side of a test for the platform or for the attribute itself.

    A test in other words, one joined by `or` included, guards nothing.
    """
    parts = branch.test.values if is_and(branch.test) else [branch.test]
    texts = [ast.unparse(part) for part in parts]
    if any(text in POSIX_TESTS or text.startswith("hasattr(") for text in texts):
        return branch.body
    return branch.orelse if len(texts) == 1 and texts[0] in WINDOWS_TESTS else []


def is_and(test: ast.expr) -> TypeGuard[ast.BoolOp]:
    """Say whether all of several conditions must hold."""
    return isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And)


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_nothing_is_called_that_only_posix_knows(path: Path) -> None:
    """Windows matters: an attribute that is missing there fails on the day it is used."""
    assert list(posix_only(path)) == []


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_no_place_of_one_system_is_written_down(path: Path) -> None:
    """Where something lies is a setting, or comes from `tempfile` and `os.devnull`."""
    assert list(posix_places(tree(path))) == []


def texts_without_encoding(module: ast.Module) -> Iterator[str]:
    """Yield calls that open a file as text in whatever encoding the machine has."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and opens_a_file(node) and not names_encoding(node) and not is_binary(node):
            yield f"{node.lineno}: {ast.unparse(node)}"


def opens_a_file(node: ast.Call) -> bool:
    """Say whether a call opens a file. An URL opener takes a request, `os.open` gives no text."""
    called = ast.unparse(node.func)
    if called == "os.open":
        return False
    if called.endswith(".open") and not node.args:
        return re.search(r"(path|file|Path\(.*\)|/.*\))\.open$", called) is not None
    if called.endswith(".open"):
        return all(isinstance(value, ast.Constant) and isinstance(value.value, str) for value in node.args)
    return called.split(".")[-1] in {"open", "read_text", "write_text", "fdopen", "NamedTemporaryFile", "TextIOWrapper"}


def names_encoding(node: ast.Call) -> bool:
    """Say whether the encoding is given, or hidden behind `**`."""
    return any(keyword.arg in {"encoding", None} for keyword in node.keywords)


def is_binary(node: ast.Call) -> bool:
    """Say whether one of the arguments is a mode for bytes."""
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    modes = [value.value for value in values if isinstance(value, ast.Constant)]
    return any(isinstance(mode, str) and set("b") < set(mode) <= set("rwxab+") for mode in modes)


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_every_text_file_names_its_encoding(path: Path) -> None:
    """Windows would otherwise read UTF-8 as cp1252."""
    assert list(texts_without_encoding(tree(path))) == []


def test_the_detectors_see_what_they_are_for(tmp_path: Path) -> None:
    """A detector that finds nothing anywhere proves nothing; what is guarded or binary is not found."""
    sample = tmp_path / "sample.py"
    sample.write_text(
        "import fcntl\nfrom os import fork\nos.geteuid()\nsignal.SIGKILL\nsignal.Signals.SIGHUP\npath.owner()\n"
        "if os.name == 'posix':\n    os.chown('x', 1, 1)\nelse:\n    os.getuid()\n"
        "if os.name == 'nt':\n    os.getppid()\n    os.getgid()\nelse:\n    os.chown('x', 1, 1)\n"
        "if x and hasattr(os, 'nice'):\n    os.nice(1)\nif x or os.name == 'posix':\n    os.sync()\n"
        "os.rename(a, b)\nbeside.rename(b)\nselect.poll()\nsocket.AF_UNIX\ntime.tzset()\nos.O_NONBLOCK\n"
        "subprocess.run(x, preexec_fn=f)\nnow.strftime('%-d')\nimport resource\nimport pwd\nsignal.alarm(1)\n"
        "path.replace(b)\nmatch.group(1)\nos.replace(a, b)\nos.O_CREAT\n",
        encoding="utf-8",
    )
    assert sorted(posix_only(sample)) == sorted(
        [
            *("fcntl", "fork", "os.geteuid", "path.owner()", "signal.SIGKILL", "signal.Signals.SIGHUP"),
            *("os.rename", "beside.rename()", "select.poll", "socket.AF_UNIX", "time.tzset", "os.O_NONBLOCK"),
            *("preexec_fn=", "now.strftime('%-')", "resource", "pwd", "signal.alarm"),
            *("os.getuid", "os.getgid", "os.sync"),
        ]
    )
    places = ast.parse("a = '/tmp/x'\nb = '/etc'\nc = '/okta/import'\n'/tmp'\nd = 'see /tmp'\n")
    assert list(posix_places(places)) == ["1: /tmp/x", "2: /etc"]
    opened = ast.parse(
        "open('b')\nopen('x', 'w')\np.read_text()\np.open('r')\nos.fdopen(d, 'w')\n"
        "self._path.open()\n(folder / 'x').open()\nlog.open()\n"
        "open('x', 'rb')\np.open('wb')\nopener.open(request)\np.read_text(encoding='utf-8')\nos.open(p, 1)\n"
    )
    assert [found.split(":")[0] for found in texts_without_encoding(opened)] == [*"1234567"]
