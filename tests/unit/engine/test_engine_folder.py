"""What lies in a policy folder, and what of it is no policy."""

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.bootstrap.schemas import Schemas
from usher.engine import LoadedPolicies, load_policies
from usher.engine.folder import MAX_FILE_BYTES, MAX_FILES, SourceFile, read_folder, revision_of

GOOD = "policy: {name}\nrules:\n  - id: a\n    set: {{user.title: \"'x'\"}}\n"
Write = Callable[[str | Mapping[str, str]], Path]


@pytest.fixture
def load_folder(schemas: Schemas) -> Callable[[Path], LoadedPolicies]:
    """Return a loader of folders."""
    return lambda folder: load_policies(folder, shape=schemas.policy, profiles=schemas.profiles)


def told(loaded: LoadedPolicies, folder: Path) -> list[str]:
    """Return the problems with paths below the folder."""
    return [f"{problem.place}: {problem.code}".replace(f"{folder.as_posix()}/", "") for problem in loaded.problems]


@pytest.mark.parametrize(
    ("name", "is_policy"),
    [
        ("logins.yaml", True),
        ("logins.yml", True),
        ("LOGINS.YAML", True),
        ("deep/er/logins.yaml", True),
        ("logins_test.yaml", False),
        ("logins_test.yml", False),
        ("contest.yaml", True),
        ("testdata/george.yaml", False),
        ("deep/testdata/george.yaml", False),
        ("testdata.yaml", True),
        ("tables/reserved.yaml", False),
        ("deep/tables/reserved.yaml", True),
        ("tables.yaml", True),
        ("request.json", False),
        ("table.csv", False),
    ],
)
def test_a_name_tells_a_policy_from_a_test_a_table_and_test_data(name: str, *, is_policy: bool) -> None:
    """One policy per file; `tables/` only at the top, `testdata/` anywhere."""
    assert SourceFile(name, name, b"").is_policy is is_policy


@pytest.mark.parametrize(("make", "what"), [(False, "does not exist"), (True, "is not a folder")])
def test_a_missing_folder_and_a_file_in_its_place_are_told(
    tmp_path: Path, load_folder: Callable[[Path], LoadedPolicies], what: str, *, make: bool
) -> None:
    """No set, one problem."""
    folder = tmp_path / "policies"
    if make:
        folder.write_text("policy: p", encoding="utf-8")
    loaded = load_folder(folder)
    assert loaded.policy_set is None
    [problem] = loaded.problems
    assert problem.code == "no-folder"
    assert what in problem.message


@pytest.mark.parametrize(
    "names", [[], ["readme.txt"], ["a_test.yaml"], ["tables/a.yaml", "testdata/b.yaml"], [".hidden.yaml"]]
)
def test_a_folder_without_policies_is_no_set(
    write_folder: Write, load_folder: Callable[[Path], LoadedPolicies], names: list[str]
) -> None:
    """Serving nothing would let every duplicate through: it must be said."""
    loaded = load_folder(write_folder(dict.fromkeys(names, "a: 1\n")))
    assert loaded.policy_set is None
    assert [problem.code for problem in loaded.problems] == ["no-policies"]


def test_hidden_files_and_other_suffixes_are_passed_over(
    write_folder: Write, load_folder: Callable[[Path], LoadedPolicies]
) -> None:
    """An editor's and a config map's own files are no policies."""
    junk = ["..data/p.yaml", ".git/x.yaml", ".p.yaml.swp", "p.yaml~", "p.yaml.bak", "__pycache__/x.yaml", "readme.md"]
    folder = write_folder({"p.yaml": GOOD.format(name="p"), **dict.fromkeys(junk, "{{{")})
    loaded = load_folder(folder)
    assert loaded.problems == ()
    assert loaded.policy_set is not None
    assert [policy.name for policy in loaded.policy_set.policies] == ["p"]


def test_a_folder_named_like_a_policy_is_a_folder(
    write_folder: Write, load_folder: Callable[[Path], LoadedPolicies]
) -> None:
    """What lies in it is read."""
    loaded = load_folder(write_folder({"x.yaml/p.yaml": GOOD.format(name="p")}))
    assert loaded.policy_set is not None
    assert [policy.name for policy in loaded.policy_set.policies] == ["p"]


def test_an_empty_folder_named_like_a_policy_does_not_disturb(
    write_folder: Write, load_folder: Callable[[Path], LoadedPolicies]
) -> None:
    """It is no unreadable file."""
    folder = write_folder({"p.yaml": GOOD.format(name="p")})
    (folder / "x.yaml").mkdir()
    assert load_folder(folder).problems == ()


def test_a_broken_link_is_unreadable(write_folder: Write, load_folder: Callable[[Path], LoadedPolicies]) -> None:
    """A policy that is named and cannot be read must not silently be left out."""
    folder = write_folder({"p.yaml": GOOD.format(name="p")})
    (folder / "gone.yaml").symlink_to(folder / "nowhere.yaml")
    loaded = load_folder(folder)
    assert told(loaded, folder) == ["gone.yaml: unreadable"]
    assert loaded.policy_set is None


def test_a_folder_that_leads_back_to_itself_is_read_once(
    write_folder: Write, load_folder: Callable[[Path], LoadedPolicies]
) -> None:
    """Two links to the top would otherwise be followed in every order, without end."""
    folder = write_folder({"sub/p.yaml": GOOD.format(name="p")})
    (folder / "back").symlink_to(folder, target_is_directory=True)
    (folder / "sub" / "up").symlink_to(folder, target_is_directory=True)
    loaded = load_folder(folder)
    assert loaded.problems == ()
    assert loaded.file_count == 1


def test_a_linked_file_and_a_linked_folder_are_read(
    write_folder: Write, tmp_path: Path, load_folder: Callable[[Path], LoadedPolicies]
) -> None:
    """Kubernetes mounts config maps as links."""
    (tmp_path / "p.yaml").write_text(GOOD.format(name="p"), encoding="utf-8")
    folder = write_folder({"q.yaml": GOOD.format(name="q")})
    (folder / "p.yaml").symlink_to(tmp_path / "p.yaml")
    elsewhere = write_folder({"r.yaml": GOOD.format(name="r")})
    (folder / "more").symlink_to(elsewhere, target_is_directory=True)
    loaded = load_folder(folder)
    assert loaded.policy_set is not None
    assert {policy.name for policy in loaded.policy_set.policies} == {"p", "q", "r"}


def test_a_pipe_is_not_waited_on(write_folder: Write, load_folder: Callable[[Path], LoadedPolicies]) -> None:
    """A pipe has no end of file: reading it would stop the service for good."""
    folder = write_folder({"p.yaml": GOOD.format(name="p")})
    make_pipe = getattr(os, "mkfifo", None)  # Windows has no pipes among files, and a plain file shows nothing there
    if make_pipe is None:
        (folder / "pipe.yaml").symlink_to(folder / "nowhere")
    else:
        make_pipe(folder / "pipe.yaml")
    found: list[LoadedPolicies] = []
    reader = threading.Thread(target=lambda: found.append(load_folder(folder)), daemon=True)
    reader.start()
    reader.join(60)
    assert [told(loaded, folder) for loaded in found] == [["pipe.yaml: unreadable"]]


def test_a_folder_that_cannot_be_asked_about_is_a_problem_and_no_exception(
    load_folder: Callable[[Path], LoadedPolicies], tmp_path: Path
) -> None:
    """A network drive that is away, a folder above that lets nobody in: here, a name too long for any system."""
    [problem] = load_folder(tmp_path / ("x" * 5000)).problems
    assert problem.code in {"unreadable", "no-folder"}  # Windows knows no such name


@pytest.mark.parametrize(
    ("size", "codes"), [(MAX_FILE_BYTES, []), (MAX_FILE_BYTES + 1, ["file-too-large"]), (5_000_000, ["file-too-large"])]
)
def test_a_file_over_a_megabyte_is_refused_without_being_parsed(
    write_folder: Write, load_folder: Callable[[Path], LoadedPolicies], size: int, codes: list[str]
) -> None:
    """The bound itself is inside."""
    text = GOOD.format(name="p")
    other = GOOD.format(name="q").replace("user.title", "user.city")
    folder = write_folder({"p.yaml": text + "#" * (size - len(text)), "q.yaml": other})
    assert [problem.code for problem in load_folder(folder).problems] == codes


def test_too_many_files_are_the_wrong_folder(
    write_folder: Write, load_folder: Callable[[Path], LoadedPolicies]
) -> None:
    """Somebody named the root of a disk."""
    folder = write_folder({"p.yaml": GOOD.format(name="p")})
    for number in range(MAX_FILES):
        (folder / f"{number}.csv").touch()
    assert [problem.code for problem in load_folder(folder).problems] == ["too-many-files"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("policy: p\n".encode("utf-16"), "f.yaml: not-utf8"),
        ("policy: p\n".encode("utf-16-be"), None),
        (b"policy: p\n# \xe9\n", "f.yaml:2:3: not-utf8"),
        ("# äöü ".encode() + b"\xff", "f.yaml:1:7: not-utf8"),
        (b"\xef\xbb\xbfab\xff", "f.yaml:1:3: not-utf8"),
        (b"\xef\xbb\xbf# a\r\n\xc3", "f.yaml:2:1: not-utf8"),
    ],
)
def test_what_is_not_utf8_is_told_with_its_place(content: bytes, expected: str | None) -> None:
    """Line and column count characters, not bytes; a byte order mark is none of them."""
    text = SourceFile("f.yaml", "f.yaml", content).text()
    assert isinstance(text, str) if expected is None else str(text).startswith(f"{expected}: ")


def test_utf16_without_a_mark_is_a_problem_too(
    write_folder: Write, load_folder: Callable[[Path], LoadedPolicies]
) -> None:
    """It decodes as UTF-8 with a NUL at every other place."""
    folder = write_folder({})
    (folder / "p.yaml").write_bytes("policy: p\n".encode("utf-16-le"))
    assert [problem.code for problem in load_folder(folder).problems] == ["yaml-syntax"]


def test_a_byte_order_mark_and_windows_line_ends_do_not_count(
    write_folder: Write, load_folder: Callable[[Path], LoadedPolicies]
) -> None:
    """Notepad writes both."""
    folder = write_folder({"p.yaml": "\ufeff" + GOOD.format(name="p").replace("\n", "\r\n")})
    loaded = load_folder(folder)
    assert loaded.problems == ()
    assert loaded.policy_set is not None
    assert loaded.policy_set.rules[0].place.line == 3


def test_data_beside_the_policies_is_covered_by_the_revision(
    write_folder: Write, load_folder: Callable[[Path], LoadedPolicies]
) -> None:
    """A changed table, test or profile schema is another revision; a hidden file is not."""

    def revision(**more: str) -> str:
        loaded = load_folder(
            write_folder(
                {
                    "p.yaml": GOOD.format(name="p"),
                    **{n.replace("__", "/").replace("_dot_", "."): t for n, t in more.items()},
                }
            )
        )
        assert loaded.policy_set is not None
        return loaded.policy_set.revision

    plain = revision()
    assert revision(_dot_hidden="x") == plain
    others = [
        revision(tables__a_dot_csv="1"),
        revision(tables__a_dot_csv="2"),
        revision(testdata__r_dot_json="{}"),
        revision(b_test_dot_yaml="x: 1"),
    ]
    assert len({plain, *others}) == 5


SOURCES = st.dictionaries(st.text(max_size=5), st.binary(max_size=5), max_size=5)


@given(SOURCES, st.randoms())
def test_the_order_of_files_never_changes_the_revision(sources: dict[str, bytes], random: object) -> None:
    """Law: the same files are the same revision: 16 hexadecimal digits."""
    items = list(sources.items())
    random.shuffle(items)  # type: ignore[attr-defined]  # Hypothesis' Random
    revision = revision_of(items)
    assert revision == revision_of(sources.items())
    assert len(revision) == 16
    assert set(revision) <= set("0123456789abcdef")


@given(SOURCES, SOURCES)
def test_other_files_are_another_revision(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    """Law: a name or a byte moved, added or changed shows."""
    assert (revision_of(one.items()) == revision_of(other.items())) is (one == other)


def test_files_are_named_with_slashes_below_the_folder(write_folder: Write) -> None:
    """The same on Windows: names are part of the revision."""
    files, problems = read_folder(write_folder({"b/c.yaml": "x", "a.yaml": "x"}))
    assert [file.name for file in files] == ["a.yaml", "b/c.yaml"]
    assert problems == ()
