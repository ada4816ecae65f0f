"""Policy sets that can be told apart in every answer, and the ways in which people and machines save them.

A set has one mark, which two policies put on everybody: one has it from its own file, the other from a table. An answer
with two marks, or with a mark that is not its revision's, comes from no set that anybody saved.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

HALF_TIME_SECONDS: Final = 0.35
"""Between two steps of one save; longer than the shipped settings let a folder settle, so that halves are judged."""
Files = Mapping[str, str]
Write = Callable[[Path, str], None]

_MARKS: Final = """\
policy: marks
description: Puts a mark on everybody; two marks in one set are a set of two halves.
constants: {{mark: {mark}}}
rules:
  - id: title
    set: {{user.title: constants.mark}}
  - id: halves
    when: constants.mark != tables.marks.current.mark
    hold: "'a set of two halves'"
"""
_CITIES: Final = """\
policy: cities
description: The same mark, by way of a table.
rules:
  - id: city
    set: {user.city: tables.marks.current.mark}
"""
_TESTS: Final = """\
tests_for: "*"
description: Everybody gets both, whatever the mark is.
fixtures:
  ann: {user: {login: ann.lee@example.com, firstName: Ann, lastName: Lee}, appuser: {externalId: "7"}}
tests:
  - name: both marks
    given: ann
    expect: {fired: [marks/title, cities/city]}
"""
_SLOW: Final = f"""\
policy: slow
description: Asks a question that takes a while.
constants: {{many: {list(range(300))}}}
rules:
  - id: nothing
    when: constants.many.exists(one, constants.many.exists(other, one + other < 0))
    set: {{user.nickName: {{value: never}}}}
"""
_SLOW_TESTS: Final = """\
tests_for: slow
fixtures:
  ann: {{user: {{login: ann.lee@example.com, firstName: Ann, lastName: Lee}}, appuser: {{externalId: "7"}}}}
tests:
  - name: it is asked again and again
    given: ann
    expect: {{fired: []}}
    cases:
      first: {{expect: {{}}}}
{cases}
"""
MARKS_FILE: Final = "marks.yaml"
TABLE_FILE: Final = "tables/marks.csv"


def marked(mark: str) -> dict[str, str]:
    """Return the files of the good set with this mark."""
    return {
        MARKS_FILE: _MARKS.format(mark=mark),
        "cities.yaml": _CITIES,
        TABLE_FILE: f"name,mark\ncurrent,{mark}\n",
        "marks_test.yaml": _TESTS,
    }


def slow_tests(case_count: int) -> dict[str, str]:
    """Return the files that make any set's tests slow: some 0.1 s of one core for each case."""
    cases = "\n".join(f"      again {number}: {{expect: {{}}}}" for number in range(case_count))
    return {"slow.yaml": _SLOW, "slow_test.yaml": _SLOW_TESTS.format(cases=cases)}


def overwrite(path: Path, text: str) -> None:
    """Write a file as a shell's `>` does, and make what is above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def replace_atomically(path: Path, text: str) -> None:
    """Write beside it, under a name that is passed over, and move it there in one step."""
    beside = path.with_name(f".{path.name}.new")
    overwrite(beside, text)
    beside.replace(path)


def rename_into_place(path: Path, text: str) -> None:
    """Write under a name that counts as a policy, take the old file away, give the new one its name."""
    beside = path.with_name(f"new-{path.name}")
    overwrite(beside, text)
    time.sleep(HALF_TIME_SECONDS)
    path.unlink()
    beside.rename(path)


def delete_and_put_back(path: Path, text: str) -> None:
    """Delete, and write anew some time later."""
    path.unlink()
    time.sleep(HALF_TIME_SECONDS)
    overwrite(path, text)


def truncate_and_write_in_two_halves(path: Path, text: str) -> None:
    """Empty the file, write half of it, get round to the other half some time later."""
    with path.open("w", encoding="utf-8") as file:
        file.flush()
        time.sleep(HALF_TIME_SECONDS)
        file.write(text[: len(text) // 2])
        file.flush()
        os.fsync(file.fileno())
        time.sleep(HALF_TIME_SECONDS)
        file.write(text[len(text) // 2 :])


def save_as_an_editor(path: Path, text: str) -> None:
    """Do as vim does: a swap file, the old text kept as a backup, the new one written, the rest taken away."""
    swap, backup = path.with_name(f".{path.name}.swp"), path.with_name(f"{path.name}~")
    swap.write_bytes(b"b0VIM 9.0")
    time.sleep(0.05)
    path.rename(backup)
    overwrite(path, text)
    backup.unlink()
    swap.unlink()


def write_over_a_while(path: Path, text: str) -> None:
    """Write line by line, without a pause that is long enough to look finished."""
    with path.open("w", encoding="utf-8") as file:
        for line in text.splitlines(keepends=True):
            file.write(line)
            file.flush()
            time.sleep(0.03)


def write_all(folder: Path, files: Files, write: Write = overwrite) -> None:
    """Save files below a folder, one after the other; those that stay as they are are not touched."""
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write(path, text)


def remove(folder: Path, names: Iterable[str]) -> None:
    """Take files away."""
    for name in names:
        (folder / name).unlink()


@contextmanager
def away(folder: Path) -> Iterator[Path]:
    """Have a folder vanish for as long as the block runs; yields where it is meanwhile."""
    elsewhere = folder.with_name(f"{folder.name}-away")
    folder.rename(elsewhere)
    try:
        yield elsewhere
    finally:
        elsewhere.rename(folder)


def swap_folders(folder: Path, files: Files) -> None:
    """Put another folder into the place of this one, as a deployment does."""
    new, old = folder.with_name("next"), folder.with_name("previous")
    write_all(new, files)
    folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old)


class Mount:
    """A folder as Kubernetes mounts a config map: links to `..data`, which is a link to a folder with a time's name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def publish(self, files: Files) -> None:
        """Write a new folder, move `..data` over to it in one step, delete the old one."""
        self._count += 1
        data = self.folder / "..data"
        before = data.resolve() if data.is_symlink() else None
        dated = self.folder / f"..2026_03_02_09_00_{self._count:02d}.{self._count:09d}"
        write_all(dated, files)
        beside = self.folder / "..data_tmp"
        beside.symlink_to(dated.name)
        beside.replace(data)
        for top in {name.partition("/")[0] for name in files}:
            link = self.folder / top
            if not link.is_symlink():
                link.symlink_to(f"..data/{top}")
        if before is not None:
            shutil.rmtree(before)

    def take_the_place_of(self, folder: Path, files: Files) -> None:
        """Publish a first set, and move the whole mount to where another folder is."""
        self.publish(files)
        shutil.rmtree(folder)
        self.folder = self.folder.rename(folder)
