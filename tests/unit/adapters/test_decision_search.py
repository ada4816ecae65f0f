"""One decision found among the files of the log."""

import json
from pathlib import Path

import pytest

from usher.adapters.decision_reading import UnreadableLogError
from usher.adapters.decision_search import DecisionNotFoundError, Found, find_decision


def write(folder: Path, name: str, *lines: str) -> Path:
    """Write a file of the log and return the log's stem."""
    (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder / "decisions.jsonl"


def test_a_decision_is_found_in_whichever_file_it_stands(tmp_path: Path) -> None:
    """Each start of the service writes a file of its own."""
    write(tmp_path, "decisions.20260301T090000Z-1.jsonl", '{"decision_id":"a","n":1}', '{"decision_id":"b","n":2}')
    stem = write(tmp_path, "decisions.20260302T090000Z-1.jsonl", '{"decision_id":"c","n":3}')
    assert [find_decision(stem, decision_id).line["n"] for decision_id in "abc"] == [1, 2, 3]


def test_the_files_of_the_latest_start_come_first(tmp_path: Path) -> None:
    """Who asks, asks mostly about today; files that are not the log's are let be."""
    write(tmp_path, "decisions.20260301T090000Z-1.jsonl", '{"decision_id":"a","n":1}')
    write(tmp_path, "other.20260303T090000Z-1.jsonl", '{"decision_id":"a","n":3}')
    stem = write(tmp_path, "decisions.20260302T090000Z-1.jsonl", '{"decision_id":"a","n":2}')
    assert find_decision(stem, "a").line["n"] == 2


def test_the_two_lines_of_a_decision_may_stand_in_two_files(tmp_path: Path) -> None:
    """The shadow's is written later, when the file may have ended, more than once even."""
    answer, shadow = '{"decision_id":"a","shadow":false}', '{"decision_id":"a","shadow":true}'
    write(tmp_path, "decisions.20260301T090000Z-1.jsonl", answer)
    write(tmp_path, "decisions.20260301T090000Z-1_001.jsonl", '{"decision_id":"b","shadow":false}')
    stem = write(tmp_path, "decisions.20260301T090000Z-1_002.jsonl", shadow, '{"decision_id":"c","shadow":false}')
    assert find_decision(stem, "a") == Found(json.loads(answer), json.loads(shadow))
    assert find_decision(stem, "b").shadow is None
    assert find_decision(stem, "c").shadow is None


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    """With its name: here it is a folder."""
    (tmp_path / "decisions.20260301T090000Z-1.jsonl").mkdir()
    with pytest.raises(UnreadableLogError, match=r"Z-1\.jsonl: the decision log cannot be read: "):
        find_decision(tmp_path / "decisions.jsonl", "a")


def test_a_name_is_no_pattern(tmp_path: Path) -> None:
    """Brackets in the settings' file name stand for themselves."""
    write(tmp_path, "decisions[1].20260301T090000Z-1.jsonl", '{"decision_id":"a","n":1}')
    write(tmp_path, "decisions1.20260301T090000Z-1.jsonl", '{"decision_id":"a","n":2}')
    assert find_decision(tmp_path / "decisions[1].jsonl", "a").line["n"] == 1


def test_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    """After SIGKILL the last line may be half; an id that is only quoted in another line is not the decision."""
    stem = write(
        tmp_path,
        "decisions.20260301T090000Z-1.jsonl",
        '{"decision_id":"a","n"',
        '["a"]',
        '{"decision_id":"b","event_id":"a"}',
        '{"decision_id":"a","n":1}',
    )
    assert find_decision(stem, "a").line["n"] == 1


def test_what_the_shadow_policies_would_have_done_is_found_beside_the_decision(tmp_path: Path) -> None:
    """A line of its own under the same id; other decisions have none, nor have those of older services."""
    stem = write(
        tmp_path,
        "decisions.20260301T090000Z-1.jsonl",
        '{"decision_id":"a","shadow":false,"n":1}',
        '{"decision_id":"b","shadow":false,"n":2}',
        '{"decision_id":"a","shadow":true,"n":3}',
        '{"decision_id":"c","n":4}',
    )
    assert find_decision(stem, "a") == Found(
        {"decision_id": "a", "shadow": False, "n": 1}, {"decision_id": "a", "shadow": True, "n": 3}
    )
    assert [find_decision(stem, decision_id).shadow for decision_id in "bc"] == [None, None]


def test_a_shadow_that_is_written_first_is_still_the_shadow(tmp_path: Path) -> None:
    """Threads share the file; which line comes first says nothing."""
    stem = write(
        tmp_path,
        "decisions.20260301T090000Z-1.jsonl",
        '{"decision_id":"a","shadow":true,"n":2}',
        '{"decision_id":"a","shadow":false,"n":1}',
    )
    found = find_decision(stem, "a")
    assert found.shadow is not None
    assert (found.line["n"], found.shadow["n"]) == (1, 2)


def test_a_shadow_alone_is_no_decision(tmp_path: Path) -> None:
    """The line that tells what was answered is lost: nothing else may pass for it."""
    stem = write(tmp_path, "decisions.20260301T090000Z-1.jsonl", '{"decision_id":"a","shadow":true}')
    with pytest.raises(DecisionNotFoundError):
        find_decision(stem, "a")


@pytest.mark.parametrize("decision_id", ["zz", "", "a.*"])
def test_a_decision_that_is_nowhere_is_said_with_where_it_was_looked_for(tmp_path: Path, decision_id: str) -> None:
    """The folder and the number of files tell an admin whether the right log was read."""
    stem = write(tmp_path, "decisions.20260301T090000Z-1.jsonl", '{"decision_id":"a"}')
    with pytest.raises(DecisionNotFoundError) as raised:
        find_decision(stem, decision_id)
    assert str(raised.value) == (
        f"{tmp_path.as_posix()}: none of 1 files of the decision log holds the decision {decision_id}"
    )


@pytest.mark.parametrize("stem", ["decisions.jsonl", "no-folder/decisions.jsonl"])
def test_a_log_that_does_not_exist_is_said(tmp_path: Path, stem: str) -> None:
    """With the setting that names it."""
    with pytest.raises(DecisionNotFoundError, match=r"there is no decision log yet; .* \(decisions\.file\)$"):
        find_decision(tmp_path / stem, "a")
