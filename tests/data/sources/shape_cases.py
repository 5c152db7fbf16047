"""All shapes that are read, asked about or refused; docs/data-formats.md is made from them."""

from __future__ import annotations

from tests.data.sources.shapes_columns import BOXES, COLUMNS
from tests.data.sources.shapes_downloads import DOWNLOADS
from tests.data.sources.shapes_exports import EXPORTS
from tests.data.sources.shapes_folders import FOLDERS
from tests.data.sources.shapes_more import MORE
from tests.data.sources.shapes_tables import TABLES
from tests.data.sources.shapes_tools import TOOLS

SHAPES = [*FOLDERS, *TABLES, *TOOLS, *DOWNLOADS, *EXPORTS, *COLUMNS, *BOXES, *MORE]
