"""Whether an error means that the disk is full, whichever library it comes from."""

from __future__ import annotations

import errno
import re

_NUMBERS = (errno.ENOSPC, errno.EDQUOT)

_TEXT = re.compile(
    r"No space left on device"  # safetensors, whose errors have no number
    r"|database or disk is full"  # SQLite
    r"|inline_container\.cc.*(unexpected pos|file write failed)",  # torch.save
    re.DOTALL,
)


def is_full_disk(error: BaseException) -> bool:
    """Whether an error, or one that led to it, says that nothing more can be written."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.errno in _NUMBERS:
            return True
        if _TEXT.search(str(cause)):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
