"""How commands, places, problems and traces read."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.domain.command import Command, CommandType
from usher.domain.decision import Decision, RuleFault, RuleTrace, Verdict
from usher.domain.fold import fold
from usher.domain.place import Place, Problem, Severity
from usher.domain.suggestions import did_you_mean


def test_commands_are_named_and_ordered_as_okta_reads_them() -> None:
    """The official examples put action.update before user.update; names ending in .import are obsolete."""
    assert [kind.value for kind in CommandType] == [
        "com.okta.action.update",
        "com.okta.user.update",
        "com.okta.appUser.profile.update",
        "com.okta.user.profile.update",
    ]


def test_a_command_on_the_wire_is_a_copy() -> None:
    """What is sent cannot be changed through the decision, nor the other way."""
    value: dict[str, object] = {"login": "a@example.com"}
    wire = Command(CommandType.USER_PROFILE, value).to_wire()
    assert wire == {"type": "com.okta.user.profile.update", "value": value}
    assert wire["value"] is not value


@pytest.mark.parametrize(
    ("place", "text"),
    [(Place("a.yaml"), "a.yaml"), (Place("a.yaml", 3, 7), "a.yaml:3:7"), (Place("a.yaml", 0, 7), "a.yaml")],
)
def test_a_place_reads_as_editors_open_it(place: Place, text: str) -> None:
    """`file:line:column`, or the file alone."""
    assert str(place) == text


def test_a_problem_reads_place_code_message() -> None:
    """`file:line:column: code: message`."""
    assert str(Problem(Place("a.yaml", 3, 7), "wrong-type", "must be a string")) == (
        "a.yaml:3:7: wrong-type: must be a string"
    )


@given(
    st.lists(
        st.builds(
            Problem,
            st.builds(Place, st.sampled_from("ab"), st.integers(0, 12), st.integers(0, 12)),
            st.sampled_from(["x", "y"]),
            st.sampled_from(["m", "n"]),
            st.sampled_from(Severity),
        )
    )
)
def test_problems_sort_by_file_then_line_then_column(problems: list[Problem]) -> None:
    """Law: line 10 comes after line 9, and any two problems can be ordered."""
    for one, other in itertools.pairwise(sorted(problems)):
        assert (one.place.file, one.place.line, one.place.column) <= (
            other.place.file,
            other.place.line,
            other.place.column,
        )


@pytest.mark.parametrize(
    ("trace", "text"),
    [
        (RuleTrace("p/a", Verdict.FIRED, 3, 5), "fired"),
        (RuleTrace("p/a", Verdict.FALSE, 3, 5), "false at 3:5"),
        (RuleTrace("p/a", Verdict.ERROR, 3, 5, "no-such-key"), "no-such-key at 3:5"),
    ],
)
def test_a_trace_says_what_became_of_a_rule_and_where(trace: RuleTrace, text: str) -> None:
    """The text is what the decision log shows."""
    assert str(trace) == text


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (RuleFault("p/a", "no-such-key"), "p/a: no-such-key"),
        (RuleFault("p/a", "breaks-profile-schema", "user.login"), "p/a: breaks-profile-schema (user.login)"),
    ],
)
def test_a_rule_fault_names_rule_code_and_target(fault: RuleFault, text: str) -> None:
    """And nothing else."""
    assert str(fault) == text


def test_fired_rules_are_those_whose_trace_says_so() -> None:
    """In the order of the policy set."""
    trace = (
        RuleTrace("p/b", Verdict.FIRED),
        RuleTrace("p/c", Verdict.FALSE),
        RuleTrace("p/d", Verdict.ERROR),
        RuleTrace("p/a", Verdict.FIRED),
    )
    assert Decision("r", trace=trace).fired == ("p/b", "p/a")


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("logn", ["login", "email"], "; did you mean login?"),
        ("wholly_unknown", ["login", "email"], ""),
        ("x", [], ""),
    ],
)
def test_only_a_close_name_is_suggested(name: str, known: list[str], said: str) -> None:
    """A far-fetched suggestion is worse than none."""
    assert did_you_mean(name, known) == said


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("isáàc.bröck@x", "isaac.brock@x"),  # Okta's own example
        ("ISAAC@X", "isaac@x"),
        ("straße@x", "STRASSE@x"),
        ("e\u0301@x", "\u00e9@x"),
        ("İ@x", "i@x"),
        ("Ørsted@x", "orsted@x"),
        ("Łukasz@x", "lukasz@x"),
        ("ǅ@x", "dž@x"),
        ("\uff41@x", "a@x"),
    ],
)
def test_logins_that_okta_holds_for_one_have_one_key(one: str, other: str) -> None:
    """A login that is given twice costs an account."""
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a@x", "b@x"),
        ("a.b@x", "ab@x"),
        ("a@x", "a@y"),
        ("æ@x", "ae@x"),
        ("þ@x", "th@x"),
        ("が@x", "か@x"),
        ("a@x", "a @x"),
    ],
)
def test_logins_that_differ_in_more_have_two_keys(one: str, other: str) -> None:
    """Only case and diacritics do not count."""
    assert fold(one) != fold(other)


@given(st.text())
def test_folding_twice_changes_nothing_and_case_never_counts(text: str) -> None:
    """Law: the key of a key is itself; upper, lower and title case share a key."""
    key = fold(text)
    assert fold(key) == key
    assert {fold(text.lower()), fold(text.upper()), fold(text.title()), fold(text.casefold())} == {key}
