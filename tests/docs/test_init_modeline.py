"""What `usher init` writes is explained by an editor: every policy names its schema."""

from pathlib import Path

from click.testing import CliRunner

from usher.bootstrap.schemas import load_schemas
from usher.bootstrap.shipped import shipped_policies
from usher.cli.init import init_command
from usher.engine import load_policies

MODELINE = "# yaml-language-server: $schema="


def written(folder: Path) -> Path:
    """Return the folder after `usher init`."""
    result = CliRunner().invoke(init_command, [str(folder)])
    assert result.exit_code == 0
    return folder


def test_every_policy_names_the_schema_of_its_kind(tmp_path: Path) -> None:
    """The first line leads from the file to a schema, whatever folder the file is in; data has no such line."""
    folder = written(tmp_path / "new")
    named = []
    for path in sorted((folder / "policies").rglob("*.yaml")):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        parts = path.relative_to(folder / "policies").parts
        is_data = parts[0] == "tables" or "testdata" in parts
        assert first.startswith(MODELINE) is not is_data
        if not is_data:
            schema = (path.parent / first.removeprefix(MODELINE)).resolve()
            kind = "policy-test" if path.stem.endswith("_test") else "policy"
            assert schema == (folder / "schemas" / f"{kind}.schema.json").resolve()
            assert schema.is_file()
            named.append(path.name)
    assert named


def test_nothing_else_changes_and_the_policies_load(tmp_path: Path) -> None:
    """Below the line stands what was shipped, and the set loads without a problem."""
    folder = written(tmp_path / "new")
    for path in (folder / "policies").rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        shipped = (shipped_policies() / path.relative_to(folder / "policies")).read_text(encoding="utf-8")
        assert shipped in {text, text.partition("\n")[2]}
    schemas = load_schemas(folder / "schemas")
    loaded = load_policies(folder / "policies", shape=schemas.policy, profiles=schemas.profiles)
    assert loaded.problems == ()
