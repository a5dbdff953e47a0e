"""A day on Bluesky: what happened when, in which languages, and what of it is missing. A marimo notebook.

marimo edit docs/notebooks/a_day_on_bluesky.py -- --source ~/tmp/bluesky_data
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="A day on Bluesky")


@app.cell
def _():
    from datetime import timedelta

    import altair as alt
    import marimo as mo
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    import firehose

    return alt, firehose, mo, pa, pc, pd, timedelta


@app.cell
def _(mo):
    # A folder of hour files, or the URL of a ClickHouse; none: the ClickHouse of the settings.
    source = mo.cli_args().get("source")
    # UTC, such as 2026-11-23; none: the day in which the newest batch ends.
    day_asked = mo.cli_args().get("day")
    # A share of all accounts: with 0.05 the counts are estimates, and a day of the whole network takes seconds.
    share = float(mo.cli_args().get("sample") or 1)
    return day_asked, share, source


@app.cell
def _(day_asked, firehose, pd, source, timedelta):
    lake = firehose.open(source)
    newest = lake.events.where(since=day_asked).completeness.ends
    day = pd.Timestamp(day_asked or newest - timedelta(microseconds=1)).date()
    span = {"since": day, "until": min(day + timedelta(days=1), newest.date() + timedelta(days=1))}
    return day, lake, span


@app.cell
def _(lake, mo, day, span):
    completeness = lake.events.where(**span).completeness
    mo.md(f"# {day} on Bluesky\n\n{completeness.missing or 'Nothing is missing of what was heard.'}")
    return (completeness,)


@app.cell
def _(lake, pa, pc, share, span):
    def counted(selection, key):
        """Counts by ten minutes and ``key``, in bounded memory: each batch is counted as it comes."""
        parts = []
        for batch in selection.batches():
            table = pa.Table.from_batches([batch])
            ten = pc.floor_temporal(table["witnessed_at"], 10, unit="minute")
            if pa.types.is_list(table[key].type):
                rows = pc.list_parent_indices(table[key])
                table = pa.table({"at": ten.take(rows), key: pc.list_flatten(table[key])})
            else:
                table = pa.table({"at": ten, key: table[key]})
            parts.append(table.group_by(["at", key]).aggregate([([], "count_all")]))
        empty = pa.table({"at": pa.array([], pa.timestamp("us", "UTC")), key: pa.array([], pa.string())})
        parts = parts or [empty.append_column("count_all", pa.array([], pa.int64()))]
        sums = pa.concat_tables(parts).group_by(["at", key]).aggregate([("count_all", "sum")])
        frame = sums.rename_columns(["at", key, "events"]).to_pandas()
        return frame.assign(events=frame["events"] / share).sort_values(["at", key], ignore_index=True)

    by_type = counted(lake.read("events", columns=["witnessed_at", "type"], sample=share, **span), "type")
    by_language = counted(
        lake.read("posts", columns=["witnessed_at", "languages"], sample=share, **span), "languages"
    )
    return by_language, by_type


@app.cell
def _(completeness, pd, span):
    # Open gaps, and hours of whose time a part is in neither a batch nor a gap.
    hours = completeness.hours.to_pandas()
    unknown = hours[hours["seconds_unaccounted"] > 0][["hour_start"]].drop_duplicates()
    unknown = pd.DataFrame({"start": unknown["hour_start"], "end": unknown["hour_start"] + pd.Timedelta(hours=1)})
    gaps = completeness.gaps.to_pandas()[["start", "end", "reason"]].rename(columns={"reason": "why"})
    limits = [pd.Timestamp(moment, tz="UTC") for moment in (span["since"], span["until"])]
    shaded = pd.concat([gaps, unknown.assign(why="unknown")], ignore_index=True)
    for side in ("start", "end"):
        shaded[side] = pd.to_datetime(shaded[side], utc=True).clip(*limits)
    return (shaded,)


@app.cell
def _(alt, shaded):
    def over_gaps(lines):
        """A chart with what is missing shaded behind it, so that a gap is not taken for a dip."""
        gaps = (
            alt.Chart(shaded)
            .mark_rect(opacity=0.3, color="gray")
            .encode(x="start:T", x2="end:T", tooltip=["why:N"])
        )
        return (gaps + lines).properties(width="container", height=260)

    return (over_gaps,)


@app.cell
def _(alt, by_type, mo, over_gaps):
    activity = over_gaps(
        alt.Chart(by_type, title="Events in ten minutes (gray: something is missing)")
        .mark_line()
        .encode(
            x=alt.X("at:T", title="UTC"),
            y=alt.Y("events:Q", title=None),
            color="type:N",
            tooltip=["at:T", "type", "events"],
        )
    )
    mo.ui.altair_chart(activity)
    return (activity,)


@app.cell
def _(alt, by_language, mo):
    top = by_language.groupby("languages")["events"].sum().nlargest(12).reset_index()
    languages = (
        alt.Chart(top, title="Posts by declared language")
        .mark_bar()
        .encode(x=alt.X("events:Q", title="posts"), y=alt.Y("languages:N", sort="-x", title=None))
        .properties(width="container")
    )
    mo.ui.altair_chart(languages)
    return (languages,)


@app.cell
def _(alt, by_language, mo, over_gaps):
    few = by_language.groupby("languages")["events"].sum().nlargest(5).index
    rhythm = over_gaps(
        alt.Chart(by_language[by_language["languages"].isin(few)], title="When the five largest languages post")
        .mark_line()
        .encode(x=alt.X("at:T", title="UTC"), y=alt.Y("events:Q", title="posts"), color="languages:N")
    )
    mo.ui.altair_chart(rhythm)
    return (rhythm,)


if __name__ == "__main__":
    app.run()
