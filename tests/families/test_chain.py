"""Every link of the chain, for a dozen checkpoints, and for all in `make test-families`."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from tests.families import results, table
from tests.families.chain import CHEAP
from tests.families.replicas import DOZEN, REPLICAS
from tests.families.subject import Outcome, Subject, tried

IN_EVERY_TEST = ("loads", "own_size", "framing", "freezing", "layer_decay", "lora")
"""Links that take a moment; heat maps and other sizes have tests of their own."""

FOUND: dict[str, dict[str, Outcome]] = {}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replicas")


def subject(name: str, folder: Path) -> Subject:
    """A replica on disk, written once."""
    replica = REPLICAS[name]
    where = folder / name.replace("/", "--")
    if not where.exists():
        replica.write(where)
    return Subject(name, where, replica.task, replica.side)


@pytest.mark.parametrize("link", IN_EVERY_TEST)
@pytest.mark.parametrize("name", DOZEN)
def test_the_checkpoints_that_differ_most_go_through(name: str, link: str, folder: Path) -> None:
    found = tried(CHEAP[link], subject(name, folder))
    assert found.status != "broken", found.words
    assert found.status == "yes" or link == "framing", found.words


@pytest.mark.families
@pytest.mark.parametrize("name", results.subjects())
def test_every_family_goes_through_or_is_refused(name: str, tmp_path: Path) -> None:
    replica = results.subjects()[name]
    FOUND[name] = results.chain(replica, replica.write(tmp_path / "replica"))
    results.write(FOUND)  # each time: an hour's results outlive an interruption
    broken = {link: o.words for link, o in FOUND[name].items() if o.status == "broken"}
    assert not broken


def test_every_family_of_the_installed_transformers_has_a_row() -> None:
    fresh = table.page({"versions": {}, "rows": {}})
    for family, task in results.FAMILIES.items():
        assert f"| {family} | {task} | {table.NOT_TRIED} |" in fresh
    committed = table.PAGE.read_text(encoding="utf-8")
    missing = [name for name in results.FAMILIES if f"| {name} | " not in committed]
    if missing and f"transformers {version('transformers')}" not in committed:
        pytest.skip(f"not tried, since they are newer than docs/support.md: {', '.join(missing)}")
    assert not missing


def test_a_refusal_is_a_sentence_below_the_table_and_each_is_there_once() -> None:
    line = "a row of sentences; name another."
    row = {
        "family": "vit", "task": "image-classification", "source": "made up",
        "links": {"loads": ["yes", ""], "framing": ["refused", f"me/vit: {line}"],
                  "lora": ["refused", f"me/vit: {line}"], "heat_map": ["broken", "KeyError: 1"]},
    }  # fmt: skip
    page = table.page({"versions": {"torch": "2"}, "rows": {"me/vit": row}})
    assert "| vit | image-classification | yes (1) | no (1) | not tried | fails (2) |" in page
    assert page.count(line) == 1
