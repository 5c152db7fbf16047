"""Errors that a user can act on.

Every error here carries one line that says what is wrong and what to do. The command
line prints that line alone; a traceback appears only with ``--debug``.
"""


class VftError(Exception):
    """Base of all errors that hf-vft raises on purpose."""


class RecipeError(VftError):
    """The recipe asks for something that does not exist or does not fit together."""


class DataError(VftError):
    """The images, labels or splits cannot be used as they are."""


class MissingColumnError(DataError):
    """The recipe names a column that the source does not have.

    Attributes:
        column: Its name.
    """

    def __init__(self, message: str, column: str) -> None:
        super().__init__(message)
        self.column = column


class AmbiguousSourceError(DataError):
    """The data could be read in several ways, and which is meant is for a person to say.

    Attributes:
        options: Of each way, what it would be and the setting that chooses it.
    """

    def __init__(self, message: str, options: list[tuple[str, str]]) -> None:
        super().__init__(message)
        self.options = options


class ModelError(VftError):
    """The model cannot be had, or cannot do what was asked of it."""


class OutputError(VftError):
    """An output that cannot be written, or would overwrite files that are not ours."""


class RunError(VftError):
    """The run folder is missing, incomplete or in use."""


class LogError(VftError):
    """The production log is missing or damaged, or a row does not fit it."""


class HubError(VftError):
    """The Hub refused, or could not be reached."""


class PolicyError(VftError):
    """The monitoring policy asks for something that does not exist or fit together."""


class MissingDependencyError(VftError):
    """An optional package is needed; the message names the extra that brings it."""
