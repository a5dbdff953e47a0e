"""Words that simulated posts are made of, by language, and the names that tags and links take.

Lives here: data, words apart by white space. Must not: code that chooses among them.
"""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, str]] = {
    "en": """the and a to of I it is in that you for on my this with just be so not but have are was they what
    all can like about if do don't when one get out people more there time how up good think really know today
    some from love would your now been see than no new who going need want because even still day right make
    also much never here way too back thing go only could something after always work look first got best well
    year say over every great feel life morning night coffee cat dog photo book reading music art game weather
    rain sun winter world news friends happy sorry please thanks lol omg actually literally honestly maybe
    anyone everyone nothing tomorrow yesterday weekend city garden bird tree river mountain train bike walk
    cooking dinner bread movie episode season team goal match code bug release paper data science history
    election vote policy climate energy school teacher student library museum exhibition draw sketch colour""",
    "pt": """que de não o a é eu um para com uma os no se na por mais as dos como mas foi ao ele das tem à seu
    sua ou ser quando muito há nos já está também só pelo pela até isso ela entre era depois sem mesmo aos
    gente hoje amanhã bom dia noite saudade café praia jogo música filme livro gato cachorro chuva sol feliz
    amor vida coisa tudo nada agora aqui demais kkkk socorro Brasil cidade trabalho dormir acordei""",
    "es": """de la que el en y a los se del las un por con no una su para es al lo como más pero sus le ya o
    este sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante
    hoy mañana noche café libro música juego gato perro lluvia sol feliz amor vida ciudad trabajo gracias
    bueno gente mundo semana siempre nunca jajaja""",
    "de": """der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden
    aus er hat dass sie nach wird bei einer um am sind noch wie einem über so zum kann war haben nur oder aber
    vor zur bis mehr durch man heute morgen Abend Kaffee Buch Musik Katze Hund Regen Sonne Arbeit Leben schön""",
    "ja": """今日 は の に を た が で て と し れ さ ある いる も する から な こと として い や など なっ ない
    この ため その あと よう また もの という あり まで られ なる へ か だ これ によって により おり より による ず
    なり られる において 明日 昨日 朝 夜 おはよう おやすみ ありがとう 猫 犬 ご飯 美味しい 可愛い 楽しい 嬉しい
    眠い 仕事 学校 電車 雨 晴れ 花 写真 絵 描いた 好き 最高 ゲーム 音楽 映画 本 読んだ 見た 食べた 行った
    すごい やばい 笑 。 、 … SNS 推し 尊い 桜 夏 冬 東京""",
    "ko": """오늘 내일 아침 저녁 커피 고양이 강아지 음악 영화 책 사진 그림 좋아 너무 진짜 정말 그냥 지금 우리
    사람 생각 시간 하루 비 날씨 맛있다 예쁘다 행복 사랑 감사 안녕 ㅋㅋㅋ ㅠㅠ""",
    "fr": """de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec
    son aux d'un cette ou été mais nous je elle très bien tout aujourd'hui demain soir café livre musique chat
    chien pluie soleil vie amour travail monde merci bonjour""",
}
#: How ``langs`` of a post is drawn: language (None: no ``langs`` at all) and its weight. Other languages are few.
LANGUAGES: Final[list[tuple[str | None, float]]] = [
    ("en", 64.0),
    (None, 11.7),
    ("ja", 10.6),
    ("pt", 5.0),
    ("es", 3.0),
    ("de", 2.5),
    ("fr", 1.7),
    ("ko", 1.5),
]
EMOJI: Final = "😀 😂 🥹 😭 🔥 ✨ 💙 🦋 🎉 🙏 👀 🐈 🌧️ ☕ 🏳️‍🌈 👩‍💻 🇧🇷 🎨"
TAGS: Final = """art photography caturday news nowplaying booksky gamedev politics anime vtuber furry birds nature
nsfw science climate football music indiedev pixelart OC writing history infosec rust python bluesky イラスト 猫
今日の積み上げ アニメ 写真 futebol bbb 日常 café İzmir"""
DOMAINS: Final = """www.youtube.com youtu.be open.spotify.com www.theguardian.com www.nytimes.com www.bbc.co.uk
github.com arxiv.org en.wikipedia.org www.twitch.tv x.com www.nhk.or.jp note.com g1.globo.com apnews.com bsky.app
medium.com www.reuters.com store.steampowered.com www.patreon.com"""
BIOS: Final = (
    "Crypto enthusiast. DM for a signal that never loses.",
    "Follow me and I follow back!",
    "Opinions are my own.",
)
#: What many post word for word.
COPIED: Final = (
    "Good morning!",
    "good morning!",
    "This. So much this.",
    "おはよう",
    "Free followers, link in bio",
)
STATUSES: Final = ["deactivated", "deleted", "takendown", "suspended", "desynchronized", "throttled"]
