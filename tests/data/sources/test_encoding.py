"""Text whose encoding is certain, plain from its bytes, or asked for."""

from __future__ import annotations

import pytest

from hf_vft.data.sources.encoding import Text, decode, guess_note
from hf_vft.errors import DataError

GERMAN = "Kratzer,Ölfleck\nBruch,Lücke\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_what_says_its_encoding_is_certain(encoding: str) -> None:
    assert decode(GERMAN.encode(encoding), "x.csv") == Text(GERMAN)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le", "utf-16-be"])
def test_what_is_plain_from_the_bytes_is_read_and_said(encoding: str) -> None:
    read = decode(GERMAN.encode(encoding), "x.csv")
    assert read == Text(GERMAN, encoding)
    assert f"x.csv is not UTF-8 and was read as {encoding} ('Ölfleck')" in str(
        guess_note("x.csv", read)
    )


@pytest.mark.parametrize(("encoding", "text"), [("cp1251", "норма"), ("gb18030", "裂纹,正常")])
def test_what_could_be_several_is_asked_for(encoding: str, text: str) -> None:
    data = text.encode(encoding)
    with pytest.raises(DataError, match=rf"set data\.encoding to one of .*{encoding}"):
        decode(data, "x.csv")
    assert decode(data, "x.csv", encoding) == Text(text)


def test_an_encoding_that_does_not_fit_or_exist_is_refused() -> None:
    with pytest.raises(DataError, match="is not ascii text"):
        decode(b"\xff\xfe\xfd", "x.csv", "ascii")
    with pytest.raises(DataError, match="knows no encoding 'klingon'"):
        decode(b"\xff\xfd", "x.csv", "klingon")
