"""What holds for the whole of service/: sizes, rooms, packages, encodings, no call that only POSIX knows."""

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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
    "O_CLOEXEC",
    "O_DIRECTORY",
    "O_NOFOLLOW",
    "WNOHANG",
    "chown",
    "chroot",
    "fchmod",
    "fchown",
    "fork",
    "forkpty",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getloadavg",
    "getpgid",
    "getpgrp",
    "getuid",
    "initgroups",
    "kill",
    "killpg",
    "lchown",
    "mkfifo",
    "mknod",
    "nice",
    "pread",
    "pwrite",
    "register_at_fork",
    "sched_getaffinity",
    "setegid",
    "seteuid",
    "setgid",
    "setgroups",
    "setpgid",
    "setsid",
    "setuid",
    "statvfs",
    "sync",
    "sysconf",
    "uname",
    "wait",
    "waitpid",
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
}
POSIX_OF_PATH = {"chown", "owner"}


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
        if isinstance(branch, ast.If) and is_platform_test(branch.test)
        for node in ast.walk(branch)
    }
    for node in ast.walk(module):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in POSIX_MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {alias.name for alias in node.names}
            bad = {"os": POSIX_OF_OS, "signal": POSIX_OF_SIGNAL}.get(node.module, set()) & names
            yield from (*bad, *({node.module} & POSIX_MODULES))
        elif isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            if (owner == "os" and node.attr in POSIX_OF_OS) or (
                owner.split(".")[0] == "signal" and node.attr in POSIX_OF_SIGNAL
            ):
                yield f"{owner}.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in POSIX_OF_PATH:
            yield f"{ast.unparse(node.func)}()"


def is_platform_test(test: ast.expr) -> bool:
    """Say whether a condition asks for the platform or for the attribute itself."""
    text = ast.unparse(test)
    return "os.name" in text or "sys.platform" in text or "hasattr(" in text


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_nothing_is_called_that_only_posix_knows(path: Path) -> None:
    """Windows matters: an attribute that is missing there fails on the day it is used."""
    assert list(posix_only(path)) == []


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
        "if os.name == 'posix':\n    os.chown('x', 1, 1)\n",
        encoding="utf-8",
    )
    assert sorted(posix_only(sample)) == [
        "fcntl",
        "fork",
        "os.geteuid",
        "path.owner()",
        "signal.SIGKILL",
        "signal.Signals.SIGHUP",
    ]
    opened = ast.parse(
        "open('b')\nopen('x', 'w')\np.read_text()\np.open('r')\nos.fdopen(d, 'w')\n"
        "self._path.open()\n(folder / 'x').open()\nlog.open()\n"
        "open('x', 'rb')\np.open('wb')\nopener.open(request)\np.read_text(encoding='utf-8')\nos.open(p, 1)\n"
    )
    assert [found.split(":")[0] for found in texts_without_encoding(opened)] == [*"1234567"]
