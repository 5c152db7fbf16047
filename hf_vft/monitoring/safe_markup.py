"""Keeps the data of a page of Evidently from being read as markup.

Evidently writes them as JSON into a script element, where a `</script>` in the name of a class or
the value of a slice would end the element, and what follows would run.
"""

from __future__ import annotations

import json
import re

from hf_vft.errors import RunError

_DATA = re.compile(r"^( *var \w+ = )(\{.*\})(;)$", re.MULTILINE)


def inert(page: str) -> str:
    """The page of ``get_html_str(as_iframe=False)`` with its data as data alone.

    Raises:
        RunError: If the data are not where they are known to be.
    """
    count = 0

    def escaped(line: re.Match[str]) -> str:
        nonlocal count
        try:
            json.loads(line[2])
        except ValueError:
            return line[0]  # code of a library
        count += 1
        return f"{line[1]}{line[2].replace('<', chr(92) + 'u003c')}{line[3]}"

    page = _DATA.sub(escaped, page)
    if not count:
        raise RunError("This version of evidently writes another page; install that of hf-vft.")
    return page
