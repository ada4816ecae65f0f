"""The place of every key of a settings file, whatever its spelling."""

from pathlib import Path

from usher.settings.toml_file import read

TEXT = """\
# a comment with [brackets]
server.port = 1
   [ auth ]   # spaced
secret_files = [
  "[server]",   # a text that looks like a section
  "host = 1",
]

"header" = '''
[decisions]
file = "not here"
'''
[decisions]
'redaction' = true
[policies]
folder = "\\u0041"
[[odd]]
x = 1
[state]
folder = {a = 1, b.c = 2}"""

PLACES = {
    ("server", "port"): (2, 1),
    ("auth",): (3, 4),
    ("auth", "secret_files"): (4, 1),
    ("auth", "header"): (9, 1),
    ("decisions",): (13, 1),
    ("decisions", "redaction"): (14, 1),
    ("policies", "folder"): (16, 1),
    ("odd",): (17, 1),
    ("state", "folder", "b", "c"): (20, 1),
}


def test_every_key_has_its_place(tmp_path: Path) -> None:
    """Quoted and dotted keys, lists and texts over several lines, inline tables: the place is the statement's."""
    (tmp_path / "x.toml").write_text(TEXT, encoding="utf-8")
    file = read(tmp_path / "x.toml", "x.toml")
    found = {path: (file.place(*path).line, file.place(*path).column) for path in PLACES}
    assert found == PLACES
    assert ("decisions", "file") not in file.places


def test_an_endless_statement_costs_its_places_only(tmp_path: Path) -> None:
    """Values are read whole; what stands after a statement of a thousand lines merely has no line."""
    lines = ["[auth]", "secret_files = [", *['"x",'] * 1000, "]", "[server]", "port = 1"]
    (tmp_path / "x.toml").write_text("\n".join(lines), encoding="utf-8")
    file = read(tmp_path / "x.toml", "x.toml")
    assert file.tables["server"] == {"port": 1}
    assert str(file.place("auth")) == "x.toml:1:1"
    assert str(file.place("server", "port")) == "x.toml"
