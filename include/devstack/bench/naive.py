"""The batch baseline: what a study script does, one pass of json, pandas and Parquet, without any check.

Usage: python -m devstack.bench.naive EVENTS.jsonl FOLDER. Prints events a second.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pandas as pd


def convert(recording: Path, folder: Path) -> float:
    """The rate at which the events of ``recording`` become one Parquet file a collection."""
    began = time.perf_counter()
    with recording.open() as lines:
        frame = pd.json_normalize([json.loads(line) for line in lines], max_level=1)
    frame["commit.record"] = frame["commit.record"].map(json.dumps)
    for number, (_, rows) in enumerate(frame.groupby("commit.collection", dropna=False)):
        rows.astype(str).to_parquet(folder / f"{number}.parquet")
    return len(frame) / (time.perf_counter() - began)


if __name__ == "__main__":
    print(convert(Path(sys.argv[1]), Path(sys.argv[2])))  # noqa: T201 - its one output
