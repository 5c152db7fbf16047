"""docs/reference/log-schema.md, from hf_vft/records/schema.py."""

from __future__ import annotations

from hf_vft.records import schema
from tests.docs.markdown import cell

HEAD = f"""# Production log

Schema version {schema.SCHEMA_VERSION}. A log is a folder of Parquet files in Hive partitions,
which pandas, `datasets`, DuckDB, Spark and Ray read as they are:

```
log/
  production-log.json                         format and schema version
  predictions/model=M/date=D/part-ID.parquet  a row per image
  embeddings/model=M/date=D/part-ID.parquet   what the head saw, float16
  labels/date=D/part-ID.parquet               the truth, as it becomes known
  journal/ID.jsonl                            what a writer has not yet turned into parts
  images/                                     images, only with --keep-images
```

Any number of writers, in threads, processes and on machines that share the folder, write at
once: each has a journal of its own. When a write returns, its rows survive `kill -9`.
`ProductionLog` reads the journals too. Deleting the folder of a day forgets the day.

Columns are only added, never renamed or given another meaning. A reader refuses files of a
newer version than its own."""

TITLES = {
    "predictions": "One row per image. Slice columns that the user names follow, as strings.",
    "embeddings": "One row per sampled image.",
    "labels": "One row per label. Labels arrive later than predictions, or never.",
}


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for table, columns in schema.TABLES.items():
        lines += ["", f"## {table}", "", TITLES[table], ""]
        lines += ["| Column | Type | Required | Meaning |", "| --- | --- | --- | --- |"]
        for name, (kind, meaning) in columns.items():
            required = "yes" if name in schema.REQUIRED[table] else ""
            shown = str(kind).replace("item: ", "").replace("element: ", "")
            lines.append(f"| `{name}` | {cell(shown)} | {required} | {cell(meaning)} |")
    return "\n".join(lines) + "\n"
