"""How a post spreads: likes, reposts, quotes and replies over time, and its thread. A marimo notebook.

marimo edit docs/notebooks/how_a_post_spreads.py -- --source ~/tmp/bluesky_data
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="How a post spreads")


@app.cell
def _():
    import altair as alt
    import marimo as mo
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    import firehose

    return alt, firehose, mo, pa, pc, pd


@app.cell
def _(mo):
    # A folder of hour files, or the URL of a ClickHouse; none: the ClickHouse of the settings.
    source = mo.cli_args().get("source")
    # The at:// address of a post; none: the most liked one of the span.
    uri_asked = mo.cli_args().get("uri")
    # Of the events, in UTC, such as 2026-11-23.
    span = {"since": mo.cli_args().get("since"), "until": mo.cli_args().get("until")}
    return source, span, uri_asked


@app.cell
def _(firehose, pa, source, span):
    lake = firehose.open(source)
    likes = lake.read("likes", columns=["witnessed_at", "did", "operation", "subject_uri"], **span)

    def most_liked():
        """The post with the most likes in the span; each batch is counted as it comes."""
        parts = [
            pa.Table.from_batches([batch]).group_by("subject_uri").aggregate([([], "count_all")])
            for batch in likes.batches()
        ]
        sums = pa.concat_tables(parts).drop_null().group_by("subject_uri").aggregate([("count_all", "sum")])
        ranked = sums.sort_by([("count_all_sum", "descending"), ("subject_uri", "ascending")])
        return ranked["subject_uri"].to_pylist()[0]

    return lake, likes, most_liked


@app.cell
def _(lake, likes, most_liked, pa, pc, pd, span, uri_asked):
    uri = uri_asked or most_liked()

    def about(selection, column):
        """The rows whose ``column`` is the post, in the order of time; the others are passed by as they come."""
        kept = [batch.filter(pc.equal(batch[column], uri)) for batch in selection.batches()]
        return (
            pa.Table.from_batches(kept, selection.schema)
            .to_pandas()
            .sort_values("witnessed_at", ignore_index=True)
        )

    actor = ["witnessed_at", "did", "operation"]
    post = ["uri", "text", "reply_parent_uri", "reply_root_uri", "quoted_uri"]
    found = {
        "likes": about(likes, "subject_uri"),
        "reposts": about(lake.read("reposts", columns=[*actor, "subject_uri"], **span), "subject_uri"),
        "quotes": about(lake.read("posts", columns=[*actor, *post], **span), "quoted_uri"),
        "replies": about(lake.read("posts", columns=[*actor, *post], **span), "reply_root_uri"),
    }
    engagement = pd.concat(
        [frame[frame["operation"] == "create"][actor].assign(kind=kind) for kind, frame in found.items()]
    )
    # Likes and so on that were undone, and when, are not in the records of deletes: see docs/limits.md.
    engagement = engagement.sort_values("witnessed_at", ignore_index=True)
    engagement["so_far"] = engagement.groupby("kind").cumcount() + 1
    return engagement, found, uri


@app.cell
def _(likes, mo, uri):
    completeness = likes.completeness
    mo.md(f"# How a post spreads\n\n`{uri}`\n\n{completeness.missing or 'Nothing is missing of what was heard.'}")
    return (completeness,)


@app.cell
def _(alt, completeness, engagement, mo):
    gaps = completeness.gaps.to_pandas()
    spreading = (
        alt.Chart(gaps).mark_rect(opacity=0.3, color="gray").encode(x="start:T", x2="end:T", tooltip=["reason:N"])
        + alt.Chart(engagement, title="So far (gray: something is missing)")
        .mark_line(interpolate="step-after", point=True)
        .encode(x=alt.X("witnessed_at:T", title="UTC"), y=alt.Y("so_far:Q", title=None), color="kind:N")
    ).properties(width="container", height=300)
    mo.ui.altair_chart(spreading)
    return (spreading,)


@app.cell
def _(alt, found, mo, pd, uri):
    parents = dict(zip(found["replies"]["uri"], found["replies"]["reply_parent_uri"], strict=True))

    def depth(address):
        """Steps from the post to a reply; a reply to one that was not seen counts from there."""
        steps = 0
        while address in parents and address != uri and steps <= len(parents):
            address, steps = parents[address], steps + 1
        return steps

    thread = pd.DataFrame({"depth": [depth(address) for address in parents]}, dtype="int64")
    depths = (
        alt.Chart(thread, title="Replies by their depth in the thread")
        .mark_bar()
        .encode(x=alt.X("depth:O", title="steps from the post"), y=alt.Y("count():Q", title="replies"))
        .properties(width="container")
    )
    mo.ui.altair_chart(depths)
    return depths, thread


if __name__ == "__main__":
    app.run()
