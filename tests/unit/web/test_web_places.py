"""Which connections have to leave, told by connections that are nothing but their state."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from usher.web.places import Places, longest_without_request, overdue


@dataclass(eq=False)
class Connection:
    """What the choice is made from."""

    creation_time: float = 0.0
    last_activity: float = 0.0
    requests: list[str] = field(default_factory=list)
    request: Any = None
    total_outbufs_len: int = 0
    is_cut: bool = False

    def cut(self) -> None:
        """Close."""
        self.is_cut = True


NEWEST = Connection(creation_time=9.0)
HEADER = SimpleNamespace(headers_finished=False)
BODY = SimpleNamespace(headers_finished=True)


def leaving(count: int, *connections: Any) -> list[Any]:
    """Return who leaves for the newest."""
    everybody: list[Any] = [*connections, NEWEST]
    return list(longest_without_request(everybody, count))


def test_the_longest_idle_leaves_first() -> None:
    """By their last activity, however long they have been there."""
    old, older, new = Connection(1, 5), Connection(2, 4), Connection(3, 6)
    assert leaving(2, old, older, new) == [older, old]


def test_who_has_not_read_its_answer_leaves_last() -> None:
    """It may be an answer on its way; but it does not hold a place for ever."""
    unread, idle = Connection(last_activity=1, total_outbufs_len=10), Connection(last_activity=2)
    assert leaving(1, unread, idle) == [idle]
    assert leaving(2, unread, idle) == [idle, unread]


def test_a_request_in_work_and_the_newest_never_leave() -> None:
    """However many would have to."""
    assert leaving(5, Connection(requests=["a call"])) == []


def test_only_a_header_that_does_not_end_is_overdue() -> None:
    """A body has the channel timeout, an idle connection too; a complete request before it comes first."""
    header: Any = Connection(request=HEADER, last_activity=1)
    others: list[Any] = [
        Connection(last_activity=1),
        Connection(request=BODY, last_activity=1),
        Connection(request=HEADER, last_activity=3),
        Connection(request=HEADER, requests=["a call"], last_activity=1),
    ]
    assert overdue([header, *others], 2) == [header]


def test_the_report_counts_and_comes_once_a_minute() -> None:
    """A flood is two lines, not thousands."""
    reports: list[int] = []
    server = SimpleNamespace(active_channels={number: Connection(number, number) for number in range(5)})
    places = Places([server], 2, reports.append)
    for _ in range(3):
        places.tend()
    assert reports == [3]
    assert [connection.is_cut for connection in server.active_channels.values()] == [True, True, True, False, False]
