"""Tags and languages: what people meant as one is one, and nothing else is."""

# ruff: noqa: RUF001 - characters that look alike are what this is about
from __future__ import annotations

import pytest

from firehose.records.spelling import language, tag


@pytest.mark.parametrize(
    "spellings",
    [
        ["naïve", "nai\u0308ve", "NAÏVE", "#naïve", "＃Naïve", " naïve ", "# naïve", "na\u00adïve"],
        ["music", "ＭＵＳＩＣ", "Music", "##music"],
        ["カメラ", "ｶﾒﾗ"],
        ["ゲーム", "ｹﾞｰﾑ"],
        ["izmir", "İzmir", "IZMIR"],
        ["groß", "GROSS", "gross"],
        ["λόγος", "ΛΌΓΟΣ"],
        ["서울", "\u1109\u1165\u110b\u116e\u11af"],
        ["☀", "☀\ufe0f"],
        ["", " ", "#", "＃", "\u200b"],
    ],
)
def test_one_tag_whatever_the_spelling(spellings: list[str]) -> None:
    assert len({tag(each) for each in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("naive", "naïve"),
        ("👩\u200d💻", "👩💻"),
        ("می\u200cخواهم", "میخواهم"),
        ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "🏴"),
        ("c#", "c"),
    ],
)
def test_what_differs_in_meaning_stays_apart(one: str, another: str) -> None:
    assert tag(one) != tag(another)


@pytest.mark.parametrize(
    ("declared", "canonical"),
    [
        *(("en", "en"), ("EN-us", "en-US"), ("pt_br", "pt-BR"), ("iw", "he"), ("zh-hant-tw", "zh-Hant-TW")),
        *(("jpn", "ja"), ("", "und"), ("English", "und"), ("日本語", "und"), ("en-", "und")),
    ],
)
def test_languages_in_canonical_form(declared: str, canonical: str) -> None:
    assert language(declared) == canonical
