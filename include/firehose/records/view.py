"""SQL that several types' views use: of references, labels and JSON. Pure text."""

from __future__ import annotations

from firehose.records.columns import ViewColumn


def flag(name: str, comment: str, expression: str) -> ViewColumn:
    """A column that is true or false."""
    return ViewColumn(name, "Bool", comment, expression)


def account(name: str, comment: str, uri: str) -> ViewColumn:
    """The account of the record whose address the column ``uri`` holds; empty where it holds none."""
    return ViewColumn(name, "String", comment, f"extract(ifNull({uri}, ''), '^at://(did:[^/]+)')")


def blob_cid(name: str, blob: str, what: str) -> ViewColumn:
    """The content identifier of the blob whose JSON the column ``blob`` holds; empty where it holds none."""
    comment = f"Content identifier of {what}; empty: none"
    return ViewColumn(name, "String", comment, f"JSONExtractString(ifNull({blob}, ''), 'ref', '$link')")


def self_labels(what: str) -> ViewColumn:
    """The labels that the author put on a record."""
    return ViewColumn(
        "self_labels",
        "Array(String)",
        f"Labels that the author put on {what}, such as porn; labels of moderators are another stream",
        "arrayMap(x -> JSONExtractString(x, 'val'), JSONExtractArrayRaw(extra, 'labels', 'values'))",
    )
