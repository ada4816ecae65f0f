"""What a failing test shows: what was expected, what came, and the smallest part that was false, with its values."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from usher.proof.run_words import Colours, failed_lines
from usher.proof.running import CaseResult

Proved = Callable[..., list[CaseResult]]
Explain = Callable[..., list[str]]

POLICY = """\
policy: p
variables:
  city: get(user, 'city', '')
  far: "!(variables.city in tables.towns)"
  broken: user.state
rules:
  - id: plain
    when: |-
      get(user, 'login', '') != ''
      && (variables.city == 'Bonn' || get(user, 'state', '') == 'x')
    set: {user.title: {value: x}}
  - id: by-variable
    when: "!variables.far && true"
    set: {user.nickName: {value: x}}
  - id: by-broken
    when: "get(user, 'division', '') == 'broken' && variables.broken == 'x'"
    set: {user.nickName: {value: y}}
  - id: towns
    when: get(user, 'countryCode', '') in ['', 'DE']
    first:
      - id: south
        when: variables.city == 'Ulm'
        set: {user.state: {value: south}}
      - id: west
        when: variables.city == 'Bonn'
        set: {user.state: {value: west}}
      - id: elsewhere
        set: {user.state: {value: other}}
  - id: one
    set: {user.honorificPrefix: {value: a}, user.city: {value: Ulm}, user.email: {value: none}}
    because: "'her city is ' + variables.city"
  - id: other
    when: get(user, 'division', '') == 'other'
    set: {user.honorificPrefix: {value: b}}
  - id: vetoes
    when: get(user, 'middleName', '') != ''
    veto: [user.city]
  - id: linked
    only: link
    set: {user.organization: {value: x}}
  - id: free
    when: get(user, 'costCenter', '') != ''
    claim:
      login: {candidates: [user.login], except: [ann@example.com]}
    set: {user.login: claimed.login}
  - id: wait
    when: get(user, 'division', '') == 'hold'
    hold: "'ask about ' + user.lastName"
  - id: link
    when: get(user, 'division', '') == 'link'
    action: {link: "get(user, 'manager', '')"}
"""
TOWNS = {"tables/towns.yaml": "[Bonn]\n"}


@pytest.fixture
def explain(proved: Proved) -> Explain:
    """Return the lines about one request that comes out otherwise than expected; `p` is the policy, `t` the test.

    Every difference must stand where the test names what is different.
    """

    def told(expect: str, given: str = "", *, policy: str = POLICY, quiet: str = "errors: [one], ") -> list[str]:
        changes = f"with: {{{given}}}, " if given else ""
        tests = f"""\
tests_for: p
fixtures:
  ann: {{user: {{login: ann@example.com, city: Ulm}}, appuser: {{externalId: "1"}}}}
tests:
  - {{name: one, given: ann, {changes}expect: {{{quiet}{expect}}}}}
"""
        (result,) = proved(policy, tests, **TOWNS)
        for failing in result.failures:
            place, key, member = failing.difference.place, failing.difference.key, failing.difference.member
            here = tests.splitlines()[place.line - 1][place.column - 1 :]
            assert re.match(rf"{re.escape(member) or key}: |{key}: |{{", here), here
        folder = Path(result.file).parent.as_posix()
        lines = [line.replace(f"{folder}/", "") for line in failed_lines(result)]
        lines = [re.sub(r"\(policy_test.yaml:5:[0-9]+\)", "(t)", line) for line in lines]
        return [line.replace("policy.yaml", "p") for line in lines]

    return told


# A rule that should have fired.


def test_the_smallest_part_that_was_false_is_told_with_its_values(explain: Explain) -> None:
    """At its own line and column in the policy, however the text is folded."""
    assert explain("fired: [plain], partial: true") == [
        "  FAILED one (t)",
        "    fired p/plain (t)",
        '      expected "p/plain"',
        "      came     nothing",
        "      p/plain: not fired, false at p:10:11",
        (
            """        variables.city == 'Bonn' || get(user, 'state', '') == 'x' is false: """
            """variables.city = "Ulm", get(user, 'state', '') = "" (absent)"""
        ),
    ]


def test_a_variable_is_followed_to_where_it_is_written(explain: Explain) -> None:
    """Each step has its place and its values."""
    assert explain("fired: [by-variable], partial: true")[4:] == [
        "      p/by-variable: not fired, false at p:13:12",
        "        variables.far is true",
        '        variables.city in tables.towns is false (p:4:11): variables.city = "Ulm"',
    ]


def test_an_error_is_followed_through_the_variable_it_comes_from(explain: Explain) -> None:
    """The rule's line has the place of the fault itself; the value that is not there is named."""
    lines = explain("fired: [by-broken], partial: true", "user.division: broken", quiet="errors: [by-broken, one], ")
    assert lines[4:] == [
        "      p/by-broken: failed, no-such-key at p:5:16",
        "        variables.broken failed, no-such-key",
        "        user.state failed, no-such-key (p:5:16): user.state is absent",
    ]


def test_a_branch_that_was_not_reached_tells_what_the_ladder_stopped_at(explain: Explain) -> None:
    """The branch that fired, the ladder's own condition that was false, or the branch that failed."""
    assert explain("fired: [towns/west], partial: true")[4:] == [
        "      p/towns/west: not asked, p/towns/south fired at p:21:9"
    ]
    assert explain("fired: [towns/west], partial: true", "user.countryCode: IT")[4:] == [
        "      p/towns/west: not asked, p/towns is false at p:19:11",
        "        get(user, 'countryCode', '') in ['', 'DE'] is false: get(user, 'countryCode', '') = \"IT\"",
    ]


LADDER = """\
policy: p
rules:
  - id: steps
    first:
      - {id: a, when: user.city == 'Bonn', set: {user.title: {value: x}}}
      - {id: b, when: user.state == 'x', set: {user.title: {value: y}}}
      - {id: c, when: "get(user, 'state', '') == 'y'", set: {user.title: {value: z}}}
      - {id: d, when: "get(user, 'state', '') == 'z'", veto: [user.title]}
"""


def test_a_ladder_that_failed_stopped_where_it_failed(explain: Explain) -> None:
    """The restriction below it applies, but is not what stopped it."""
    lines = explain("fired: [steps/c, steps/d], errors: [steps/b, steps/d]", policy=LADDER, quiet="")
    assert lines[4:] == [
        "      p/steps/c: not asked, p/steps/b failed at p:6:28",
        "        user.state failed, no-such-key: user.state is absent",
    ]


def test_a_branch_for_another_ending_stops_its_ladder(explain: Explain) -> None:
    """It is true, and what it does is not done."""
    policy = LADDER.replace("when: user.city == 'Bonn'", "when: user.city == 'Ulm', only: link")
    assert explain("fired: [steps/b]", policy=policy, quiet="")[4:] == [
        "      p/steps/b: not asked, p/steps/a is true though not applied at p:5:9"
    ]


def test_a_policy_that_does_not_apply_tells_why(explain: Explain) -> None:
    """Its `match` was false, or failed."""
    policy = "policy: p\nmatch: MATCH\nrules:\n  - id: a\n    set: {user.title: {value: x}}\n"
    false = policy.replace("MATCH", "get(user, 'city', '') == 'Bonn'")
    assert explain("fired: [a]", policy=false, quiet="")[4:] == [
        "      p/a: not asked, the policy's match is false at p:2:8",
        "        get(user, 'city', '') == 'Bonn' is false: get(user, 'city', '') = \"Ulm\"",
    ]
    failed = policy.replace("MATCH", "1 / size(context.conflicts) == 1")
    assert explain("fired: [a], errors: [p]", policy=failed, quiet="")[4:] == [
        "      p/a: not asked, p failed at p:2:12",
        (
            "        1 / size(context.conflicts) failed, division-by-zero: "
            "size(context.conflicts) = 0, context.conflicts = []"
        ),
    ]


@pytest.mark.parametrize("condition", ["get(user, 'city', '')", "get(user, 'city', '') && true"])
def test_a_condition_that_is_no_condition_shows_its_value(explain: Explain, condition: str) -> None:
    """It neither holds nor not."""
    policy = f"policy: p\nrules:\n  - id: a\n    when: {condition}\n    set: {{user.title: {{value: x}}}}\n"
    lines = explain("fired: [a], errors: [a]", policy=policy, quiet="")
    assert lines[4] == "      p/a: failed, not-boolean at p:4:11"
    assert lines[5].endswith("get(user, 'city', '') = \"Ulm\"")


def test_an_id_that_nobody_can_link_to_is_shown(explain: Explain) -> None:
    """The expression is right, its value is not."""
    lines = explain("fired: [link], partial: true", "user.division: link", quiet="errors: [link, one], ")
    assert lines[4:] == [
        "      p/link: failed, bad-link-id at p:51:20",
        "        get(user, 'manager', '') is \"\": get(user, 'manager', '') = \"\" (absent)",
    ]


def test_a_condition_that_took_most_of_the_decision_s_budget_is_explained(explain: Explain) -> None:
    """Looking again has a budget of its own each time."""
    twenty = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]"
    heavy = f"{twenty}.all(a, {twenty}.all(b, {twenty}.all(c, [1, 2, 3, 4, 5, 6, 7, 8].all(d, d > 0))))"
    when = f"|-\n      {heavy} && get(user, 'city', '') == 'Bonn'"
    policy = f"policy: p\nrules:\n  - id: a\n    when: {when}\n    set: {{user.title: {{value: x}}}}\n"
    lines = explain("fired: [a], set: {user.title: x}, claims: {}", policy=policy, quiet="")
    told = [line for line in lines if " is false: " in line]
    assert told == ["        get(user, 'city', '') == 'Bonn' is false: get(user, 'city', '') = \"Ulm\""] * 2


# A target that should have got a value.


@pytest.mark.parametrize(
    ("expect", "given", "explained"),
    [
        (
            "set: {user.nickName: x}",
            "",
            [
                "p/by-variable: not fired, false at p:13:12",
                "  variables.far is true",
                '  variables.city in tables.towns is false (p:4:11): variables.city = "Ulm"',
                "p/by-broken: not fired, false at p:16:12",
                "  get(user, 'division', '') == 'broken' is false: get(user, 'division', '') = \"\" (absent)",
            ],
        ),
        (
            "set: {user.city: Ulm}",
            "",
            [
                "the profile holds this value already, so no command is needed",
                "p/one: fired (p:29:5)",
                "  because her city is Ulm",
            ],
        ),
        (
            "set: {user.honorificPrefix: a}, conflicts: [user.honorificPrefix]",
            "user.division: other",
            [
                "rules want different values for it",
                "p/one: fired (p:29:5)",
                "  because her city is Ulm",
                "p/other: fired (p:32:5)",
            ],
        ),
        (
            "set: {user.email: none}",
            "",
            ["the profile schema refuses the value", "p/one: fired (p:29:5)", "  because her city is Ulm"],
        ),
        (
            "set: {user.organization: x}",
            "",
            ["p/linked: not applied, it is for rows that end otherwise"],
        ),
        (
            "set: {user.city: Ulm}, vetoed: [user.city]",
            "user.middleName: x, user.city: Bonn",
            ["the target is vetoed by p/vetoes", "p/one: fired (p:29:5)", "  because her city is Bonn"],
        ),
        (
            "claims: {login: ann@example.com}, hold: true",
            "user.costCenter: x",
            [
                "p/free claims:",
                "  login ann@example.com: reserved: the policy never gives it out",
                "  none is free",
                "p/free: not fired, no candidate of its claim is free (p:44:7)",
            ],
        ),
    ],
)
def test_a_missing_value_is_explained_by_the_rules_that_could_have_given_it(
    explain: Explain, expect: str, given: str, explained: list[str]
) -> None:
    """Why none of them fired; where one did, what became of its value."""
    errors = "" if "hold" in expect else "errors: [one], "
    lines = explain(f"partial: true, {expect}", given, quiet=errors)
    assert [line.removeprefix("      ") for line in lines[4:]][: len(explained)] == explained


def test_a_held_row_says_so(explain: Explain) -> None:
    """Nothing is sent for it, whatever fired."""
    lines = explain(
        "set: {user.state: south}, hold: ask about Lee", "user.division: hold, user.lastName: Lee", quiet=""
    )
    assert lines[1:6] == [
        "    set user.state (t)",
        '      expected "south"',
        "      came     nothing",
        "      the row is held by p/wait, so nothing is sent",
        "      p/towns/south: fired (p:21:9)",
    ]


def test_another_value_than_expected_is_explained_by_who_gave_it_first(explain: Explain) -> None:
    """Then come those that did not."""
    lines = explain("set: {user.state: other}, partial: true")
    assert lines[1:] == [
        "    set user.state (t)",
        '      expected "other"',
        '      came     "south"',
        "      p/towns/south: fired (p:21:9)",
        "      p/towns/west: not asked, p/towns/south fired at p:21:9",
        "      p/towns/elsewhere: not asked, p/towns/south fired at p:21:9",
    ]


# What should not have come.


@pytest.mark.parametrize(
    ("expect", "given", "explained"),
    [
        (
            "set: {user.title: x, user.nickName: x}, errors: [one]",
            "user.city: Bonn, user.countryCode: IT, user.honorificPrefix: a",
            [
                "    set user.city (t)",
                "      expected nothing",
                '      came     "Ulm"',
                "      p/one: fired (p:29:5)",
                "        because her city is Bonn",
            ],
        ),
        (
            "errors: [one], vetoed: []",
            "user.middleName: x",
            [
                "    vetoed user.city (t)",
                "      expected nothing",
                '      came     "user.city"',
                "      p/vetoes: fired (p:35:5)",
            ],
        ),
        (
            "errors: [one]",
            "user.division: other",
            [
                "    conflicts user.honorificPrefix (t)",
                "      expected nothing",
                '      came     "user.honorificPrefix"',
                "      p/one: fired (p:29:5)",
                "        because her city is Ulm",
                "      p/other: fired (p:32:5)",
            ],
        ),
        (
            "errors: [wait]",
            "user.division: hold",
            [
                "    hold (t)",
                "      expected nothing",
                '      came     "p/wait"',
                "      p/wait: fired (p:46:5)",
            ],
        ),
        (
            "hold: true",
            "user.division: hold",
            [
                "    errors p/wait (t)",
                "      expected nothing",
                '      came     "p/wait"',
                "      p/wait: its text or its debug failed (no-such-key), its name stands in",
                "      p/wait: fired (p:46:5)",
            ],
        ),
        (
            "fired: [one, towns/south]",
            "",
            [
                "    errors p/one (t)",
                "      expected nothing",
                '      came     "p/one"',
                "      user.email: no command, the value of p/one breaks the profile schema",
                "      p/one: fired (p:29:5)",
                "        because her city is Ulm",
            ],
        ),
    ],
)
def test_what_came_unasked_is_explained_by_the_rules_that_did_it(
    explain: Explain, expect: str, given: str, explained: list[str]
) -> None:
    """And by no rule that did nothing: the one that matters must not be lost among them."""
    lines = explain(expect, given, quiet="")
    assert lines[1 : 1 + len(explained)] == explained
    assert len(lines) == 1 + len(explained)


def test_a_restriction_below_a_branch_that_failed_says_why_it_applies(explain: Explain) -> None:
    """It could not be asked, and restrictions fail closed."""
    lines = explain("errors: [steps/b], vetoed: [user.title]", policy=LADDER, quiet="")
    assert lines[1:] == [
        "    errors p/steps/d (t)",
        "      expected nothing",
        '      came     "p/steps/d"',
        "      p/steps/d: applies because it could not be judged (ladder-stopped)",
        "      p/steps/d: fired (p:8:9)",
    ]


def test_a_conflict_over_an_action_or_a_namespace_names_its_rules(explain: Explain) -> None:
    """They are on record, whatever they target."""
    policy = """\
policy: p
rules:
  - {id: a, action: {link: "'00u1'"}}
  - {id: b, action: {link: "'00u2'"}}
"""
    lines = explain("hold: true", policy=policy, quiet="")
    assert lines[4:] == ["      p/a: fired (p:3:5)", "      p/b: fired (p:4:5)"]
    claims = """\
policy: p
rules:
  - {id: a, claim: {login: {candidates: [user.login]}}, set: {user.login: claimed.login}}
  - {id: b, claim: {login: {candidates: [user.email]}}, set: {user.email: claimed.login}}
"""
    lines = explain("set: {}", policy=claims, quiet="")
    assert lines[1:] == [
        "    conflicts claim.login (t)",
        "      expected nothing",
        '      came     "claim.login"',
        "      p/a: fired (p:3:5)",
        "      p/b: fired (p:4:5)",
    ]


def test_an_ending_that_should_have_been_another_tells_of_the_rules_about_endings(explain: Explain) -> None:
    """Whether they act or veto."""
    assert explain("action: {link: 00u1}")[1:] == [
        "    action (t)",
        '      expected {"link": "00u1"}',
        '      came     "create"',
        "      p/link: not fired, false at p:50:11",
        "        get(user, 'division', '') == 'link' is false: get(user, 'division', '') = \"\" (absent)",
    ]


def test_long_values_are_cut(explain: Explain) -> None:
    """A line is for reading."""
    lines = explain("fired: [plain], partial: true", f"user.city: {'x' * 500}")
    assert max(map(len, lines)) < 320
    assert "…" in lines[-1]


def test_good_and_bad_are_told_apart_where_there_are_colours(proved: Proved) -> None:
    """What was expected is good, what came is bad; without colours the words are the same."""
    tests = "tests_for: p\nfixtures: {ann: {user: {city: Ulm}}}\ntests:\n"
    tests += "  - {name: one, given: ann, expect: {set: {user.title: x}, partial: true, errors: [one]}}\n"
    (result,) = proved(POLICY, tests, **TOWNS)
    coloured = list(failed_lines(result, Colours("+{}+".format, "-{}-".format)))
    assert coloured[0].startswith("  -FAILED- one (")
    assert coloured[2].strip() == 'expected +"x"+'
    assert coloured[3].strip() == "came     -nothing-"
    assert [line.replace("+", "").replace("-", "") for line in coloured] == [
        line.replace("+", "").replace("-", "") for line in failed_lines(result)
    ]
