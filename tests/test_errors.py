import errno
import inspect

import pytest

from hf_vft import errors
from hf_vft.cli.main import INTERRUPTED, main

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_caught_as_one(kind):
    assert issubclass(kind, errors.VftError)
    assert kind.__doc__


@pytest.fixture
def failing(monkeypatch):
    """The command line, with commands that end as told."""

    def fail(error: BaseException):
        def app(_words):
            raise error

        monkeypatch.setattr("hf_vft.cli.main.app", app)

    return fail


def test_an_error_that_can_be_mended_is_one_line_on_standard_error(failing, capsys):
    failing(errors.DataError("photos: there are none."))
    with pytest.raises(SystemExit) as end:
        main(["fit"])
    out, err = capsys.readouterr()
    assert (end.value.code, out, err) == (1, "", "hf-vft: photos: there are none.\n")


def test_debug_shows_where_it_came_from(failing):
    failing(errors.DataError("photos: there are none."))
    with pytest.raises(errors.DataError):
        main(["fit", "--debug"])


def test_a_fault_of_the_program_is_not_hidden(failing):
    failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["fit"])


def test_a_full_disk_is_one_line_in_every_command(failing, capsys):
    failing(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(SystemExit) as end:
        main(["predict"])
    assert end.value.code == 1
    line = "hf-vft: the disk is full. Make room on it, then run this again.\n"
    assert capsys.readouterr().err == line


def test_an_interruption_says_how_to_go_on(failing, capsys):
    failing(KeyboardInterrupt())
    with pytest.raises(SystemExit) as end:
        main(["fit"])
    assert end.value.code == INTERRUPTED
    assert "--resume" in capsys.readouterr().err
