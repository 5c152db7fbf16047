"""The production log: what a model was shown and what it answered, kept for the monitor.

```
log/
  production-log.json                         format and schema version
  predictions/model=M/date=D/part-ID.parquet  a row an image (PREDICTIONS)
  embeddings/model=M/date=D/part-ID.parquet   what the head saw, float16 (EMBEDDINGS)
  labels/date=D/part-ID.parquet               the truth, as it becomes known (LABELS)
  journal/ID.jsonl                            what a writer has not yet turned into parts
  images/                                     images, only where the policy keeps them
```

Parquet with zstd, in Hive partitions: pandas, ``datasets``, DuckDB, Spark and Ray read a table's
folder as it is. `ProductionLog` reads the journals too, so it also sees the last minute.

Any number of writers, in threads, processes and on machines that share the folder, write at
once: each has a journal of its own. When ``append`` returns, the rows survive ``kill -9``.
Deleting the folder of a day forgets the day.

    log = ProductionLog("log")
    with log.writer(slices=["camera"]) as writer:
        writer.append([{"request_id": "r1", "ts_utc": datetime.now(UTC), ..., "camera": "top"}])
    log.append_labels([{"request_id": "r1", "label": "scratch", "source": "inspector"}])
    frame = log.read(since=yesterday)
"""

from hf_vft.records.compaction import Compacted
from hf_vft.records.joined_labels import join_names, split_names
from hf_vft.records.log import Embeddings, ProductionLog
from hf_vft.records.schema import (
    EMBEDDINGS,
    FULL_PROBABILITIES,
    LABELS,
    PREDICTIONS,
    SCHEMA_VERSION,
    TOP_PROBABILITIES,
)
from hf_vft.records.writer import LogWriter

__all__ = [
    "EMBEDDINGS",
    "FULL_PROBABILITIES",
    "LABELS",
    "PREDICTIONS",
    "SCHEMA_VERSION",
    "TOP_PROBABILITIES",
    "Compacted",
    "Embeddings",
    "LogWriter",
    "ProductionLog",
    "join_names",
    "split_names",
]
