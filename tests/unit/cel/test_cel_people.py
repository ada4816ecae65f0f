"""Usher's own functions on the names, numbers and dates that directories hold."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.cel import EvaluationError
from usher.cel import compile as compile_cel
from usher.cel.countries import codes_by_name
from usher.cel.names_of_people import has_many_marks
from usher.domain.fold import fold


def called(function: str, *arguments: object) -> object:
    """Return the value of a function."""
    names = {f"a{position}": argument for position, argument in enumerate(arguments)}
    return compile_cel(f"{function}({', '.join(names)})", names=names.keys()).evaluate(names)


# One name each in fourteen scripts, from anyascii's published tables where no habit says otherwise.
SCRIPTS = [
    ("Latin", "Łukasz Żółć", "Lukasz Zolc"),
    ("Cyrillic", "Соловьёв", "Solov'ev"),
    ("Greek", "Γιώργος", "Giorgos"),
    ("Arabic", "محمد", "mhmd"),
    ("Hebrew", "דוד", "dvd"),
    ("Devanagari", "राज", "raj"),
    ("Bengali", "রাজ", "raj"),
    ("Thai", "สมชาย", "smchay"),
    ("Han", "李小龙", "LiXiaoLong"),
    ("Hiragana", "さくら", "sakura"),
    ("Katakana", "タナカ", "tanaka"),
    ("Hangul", "김민수", "GimMinSu"),
    ("Armenian", "Արամ", "Aram"),
    ("Georgian", "გიორგი", "giorgi"),
]


@pytest.mark.parametrize(("script", "name", "latin"), SCRIPTS, ids=[script for script, _, _ in SCRIPTS])
def test_ascii_knows_the_scripts(script: str, name: str, latin: str) -> None:
    """A name of each script becomes letters that a login can hold."""
    found = called("ascii", name)
    assert isinstance(found, str)
    assert found.isascii(), script
    assert found.lower().replace("'", "") == latin.lower().replace("'", "")


@pytest.mark.parametrize(
    ("name", "language", "latin"),
    [
        ("Jürgen Groß", "de", "Juergen Gross"), ("ÄRGER Ärger Ä", "de", "AERGER Aerger Ae"), ("STRAẞE", "de",
        "STRASSE"),
        ("Ju\u0308rgen", "de", "Juergen"), ("Łukasz", "de", "Lukasz"), ("Åsa Öberg", "sv", "Asa Oberg"),
        ("Sørensen", "da", "Soerensen"),
        ("Ægir Ødegård", "nb", "Aegir Oedegaard"), ("ØDEGÅRD", "nb", "OEDEGAARD"), ("Väinö Šakki", "fi",
        "Vaino Shakki"),
    ],
)  # fmt: skip
def test_ascii_knows_languages(name: str, language: str, latin: str) -> None:
    """A language has its own way with its letters, composed or not, capitals as the word has them."""
    assert called("ascii", name, language) == latin


def test_an_unknown_language_is_an_error() -> None:
    """A language that nobody wrote rules for is not silently ignored."""
    with pytest.raises(EvaluationError) as caught:
        called("ascii", "ä", "xx")
    assert caught.value.kind == "bad-language"


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Anne-Marie O'Neill", "anne-marie-oneill"), ("O\u2019Neill", "oneill"), (" José  María ", "jose-maria"),
        ("J.R. Smith", "j-r-smith"),
        ("", ""), ("--", ""), ("'", ""), ("Ольга", "olga"), ("Smith 2nd", "smith-2nd"), ("D`Arcy", "darcy"), ("😀",
        "grinning"),
    ],
)  # fmt: skip
def test_slug(text: str, slug: str) -> None:
    """Letters and digits, words joined by one hyphen, apostrophes dropped."""
    assert called("slug", text) == slug


def test_every_mark_in_disguise_is_known() -> None:
    """Whatever decomposes into a combining mark counts as one: none of them can hide a run of marks."""
    for code in range(0x80, 0x110000):
        character = chr(code)
        first = unicodedata.normalize("NFKD", character)[0]
        if unicodedata.combining(first):
            assert has_many_marks(character * 2, 1), hex(code)
    assert not has_many_marks("Zoë Ñandú " * 20, 1)


@given(text=st.text(max_size=60), language=st.sampled_from(["de", "sv", "da", "nb", "fi"]))
def test_a_slug_is_always_a_slug(text: str, language: str) -> None:
    """Whatever the text, a slug is lower-case ASCII letters, digits and single hyphens within, and its own slug."""
    slug = called("slug", text, language)
    assert isinstance(slug, str)
    assert all(part.isascii() and part.isalnum() and part == part.lower() for part in slug.split("-")) or slug == ""
    assert called("slug", slug) == slug


@pytest.mark.parametrize(
    "name",
    [
        "O'Neill-McDonald", "van der Berg", "de la Cruz", "D'Arcy", "MacLeod", "Macron", "Machado", "McKay",
        "Jean-Luc", "Saint-Jean-de-Luz",
        "van 't Hoff", "von und zu Liechtenstein", "Anna Maria dos Santos", "Van", "Henry III", "Éric", "Ólafur",
        "J.R. Smith", "N'Golo",
        "Ærø", "Γιώργος Παπαδόπουλος", "O\u2019Brien", "Mc", "Mac",
    ],
)  # fmt: skip
@pytest.mark.parametrize("written", [str.upper, str.lower, str], ids=["upper", "lower", "as it is"])
def test_title(name: str, written: type[str]) -> None:
    """A name in capitals, in small letters or already right comes out right."""
    assert called("title", f" {written(name)} ") == name


def test_title_leaves_capitals_that_somebody_chose() -> None:
    """A word that mixes capitals is left alone; one in capitals is not."""
    assert called("title", "LeBron DeShawn  SMITH") == "LeBron DeShawn Smith"


@given(text=st.text(max_size=60))
def test_title_settles(text: str) -> None:
    """A title's blanks are single, and nothing but the case of letters changes."""
    title = called("title", text)
    assert isinstance(title, str)
    assert title == " ".join(title.split())
    assert fold(title) == fold(" ".join(text.split()))


@pytest.mark.parametrize(
    ("phone", "country", "number"),
    [
        ("030 123456", "DE", "+4930123456"), ("030 123456", "germany", "+4930123456"), ("(030) 12 34-56", " DE ",
        "+4930123456"),
        ("+44 20 7946 0018", "", "+442079460018"), ("+44 20 7946 0018", "DE", "+442079460018"),
        ("0044 20 7946 0018", "Germany", "+442079460018"),
        ("020 7946 0018", "United Kingdom", "+442079460018"), ("(202) 456-1111", "USA", "+12024561111"), ("12",
        "DE", None), ("", "DE", None),
        ("n/a", "DE", None), ("030 123456", "Atlantis", None), ("030 123456", None, None), (None, "DE", None),
        ("+49", "DE", None),
        ("030 123456", "Côte d'Ivoire", None), ("01 42 68 53 00", "France", "+33142685300"),
    ],
)  # fmt: skip
def test_e164(phone: str | None, country: str | None, number: str | None) -> None:
    """A valid number comes out in E.164, whatever it looked like; anything else is null."""
    assert called("e164", phone, country) == number


def test_every_country_is_a_region_with_phones() -> None:
    """Each ISO code of the table is two letters and has names; no name stands for two countries."""
    codes = codes_by_name()
    assert len(set(codes.values())) >= 240
    assert all(len(code) == 2 and code.isupper() and codes[code.casefold()] == code for code in codes.values())
    assert (codes["germany"], codes["türkiye"], codes["korea"], codes["the netherlands"]) == ("DE", "TR", "KR", "NL")


@pytest.mark.parametrize(
    ("text", "layout", "date"),
    [
        ("2024-02-29", "YYYY-MM-DD", "2024-02-29"), ("29.2.2024", "D.M.YYYY", "2024-02-29"), ("29.02.2024",
        "D.M.YYYY", "2024-02-29"),
        ("02/29/2024", "MM/DD/YYYY", "2024-02-29"), ("29-FEB-2024", "DD-MMM-YYYY", "2024-02-29"), ("20240229",
        "YYYYMMDD", "2024-02-29"),
        (" 2024-02-29 ", "YYYY-MM-DD", "2024-02-29"), ("2023-02-29", "YYYY-MM-DD", None), ("2024-02-29x",
        "YYYY-MM-DD", None),
        ("29-FOO-2024", "DD-MMM-YYYY", None), ("", "YYYY-MM-DD", None), (None, "YYYY-MM-DD", None), ("0000-01-01",
        "YYYY-MM-DD", None),
        ("٢٠٢٤-02-29", "YYYY-MM-DD", None), ("2.9.2024", "DD.MM.YYYY", None),
    ],
)  # fmt: skip
def test_date(text: str | None, layout: str, date: str | None) -> None:
    """A date in the format comes out as YYYY-MM-DD; anything else is null."""
    assert called("date", text, layout) == date


@pytest.mark.parametrize("layout", ["", "YYYY-MM", "DD.MM.YY", "YYYY-MM-DD-DD", "x" * 50 + "YYYYMMDD"])
def test_a_format_that_names_no_date_is_an_error(layout: str) -> None:
    """Half a format would make half a date."""
    with pytest.raises(EvaluationError) as caught:
        called("date", "2024-02-29", layout)
    assert caught.value.kind == "bad-format"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("isáàc.bröck@x", "Isaac.Brock@X"), ("straße", "STRASSE"), ("STRAẞE", "strasse"), ("\u0131lhan", "ILHAN"),
        ("İLHAN", "ilhan"),
        ("sørensen", "Sorensen"), ("Łódź", "lodz"), ("đoković", "Dokovic"), ("e\u0301", "É"), ("ﬁ", "fi"),
        ("\uff21", "a"),
        ("ñ", "N"), ("ÅSA", "asa"), ("Ž", "z"), ("Σίσυφος", "ΣΊΣΥΦΟΣ"), ("Й", "и"),
    ],
)  # fmt: skip
def test_logins_that_okta_calls_equal(one: str, other: str) -> None:
    """Case and diacritics do not count, nor do the letters that fold's table decides about."""
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", "b"),
        ("æ", "ae"),
        ("œ", "oe"),
        ("þ", "th"),
        ("ü", "ue"),
        ("ø", "oe"),
        ("か", "が"),
        ("कु", "क"),
        ("a b", "ab"),
        ("\u0430", "a"),
    ],
)
def test_logins_that_okta_tells_apart(one: str, other: str) -> None:
    """Letters of their own stay apart: digraphs, transliterations, voicing marks, vowel signs, look-alikes."""
    assert fold(one) != fold(other)


@given(text=st.text(max_size=60))
def test_fold_is_a_key(text: str) -> None:
    """Folding twice changes nothing, and neither case nor the way a letter is composed matters."""
    key = fold(text)
    assert fold(key) == key
    assert fold(unicodedata.normalize("NFD", text)) == key
    assert fold(unicodedata.normalize("NFC", text)) == key
    assert fold(text.lower()) == fold(text.upper()) == key
