from __future__ import annotations

import pytest

from hf_vft.errors import RecipeError
from hf_vft.utils.redaction import (
    filled_in,
    has_secret,
    without_paths,
    without_secrets,
    without_values,
)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:marker@host/studies",
        "postgresql+psycopg2://me:p@ss/marker:x@host:5432/studies",
        "cannot open 'mysql://:marker@host/x' (1045)",
        "mysql://host/x?user=me&password=marker&charset=utf8",
        "https://host/x?access_token=marker",
        "a token hf_markermarkermarkermarker in a text",
    ],
)
def test_secrets_are_hidden(text: str) -> None:
    assert has_secret(text)
    hidden = without_secrets(text)
    assert "marker" not in hidden
    assert "***" in hidden
    assert without_secrets(hidden) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:${DB_PASSWORD}@host/studies",
        "postgresql://me@host/studies",
        "sqlite:///studies.db",
        "https://huggingface.co/user/name at 12:30, mail me@example.com",
        "https://host/x?page=2&tokens=yes",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text


def test_secrets_of_the_environment_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_VFT_AUTH", "plant:marker")
    assert without_secrets("the login plant:marker is wrong") == "the login *** is wrong"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/someone/photos/line", "line"),
        ("see '/tmp/someone/a.png', then", "see 'a.png', then"),
        ("~/photos/line: 3 images", "line: 3 images"),
        ("file:///home/someone/x.png", "x.png"),
        (r"C:\Users\someone\line", "line"),
        ("/home/someone/", ""),
        ("https://example.com/home/page and train/val, a/b", None),
        ("10/12 of them, and/or 1 / 2", None),
    ],
)
def test_of_paths_the_last_part_is_left(text: str, left: str | None) -> None:
    assert without_paths(text) == (text if left is None else left)


def test_a_password_is_filled_in_from_the_environment_and_taken_out_of_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    template = "postgresql://me:${DB_PASSWORD}@host/x"
    with pytest.raises(RecipeError, match="DB_PASSWORD is not set"):
        filled_in(template, where="search.storage")
    monkeypatch.setenv("DB_PASSWORD", "marker")
    assert filled_in(template, where="search.storage") == "postgresql://me:marker@host/x"
    assert without_values("no marker there", template) == "no *** there"
