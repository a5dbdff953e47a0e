"""The built front end: it is what the manifest says, made of the sources that are here, and small."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

from firehose_ui import app, bundle, guard

WEB = bundle.FOLDER.parent / "web"
#: Bytes that a browser may have to load, gzipped.
LIMIT = 400_000


def sources() -> str:
    """As build.mjs computes it."""
    named = [WEB / name for name in ("build.mjs", "package-lock.json", "package.json", "tsconfig.json")]
    paths = {str(path.relative_to(WEB)): path for path in [*named, *(WEB / "src").rglob("*")] if path.is_file()}
    lines = (f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n" for name, path in sorted(paths.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_files_are_those_of_the_manifest() -> None:
    manifest = bundle.manifest()
    there = {path.name for path in bundle.FOLDER.iterdir()} - {bundle.MANIFEST}
    assert there == manifest.files.keys()
    for name, file in manifest.files.items():
        assert bundle.sha256(bundle.FOLDER / name) == file.sha256, name
        assert (bundle.FOLDER / name).stat().st_size == file.bytes, name


def test_it_was_built_from_these_sources() -> None:
    assert bundle.manifest().sources == sources(), "build it again: make ui"


def test_it_is_small() -> None:
    sizes = [len(gzip.compress((bundle.FOLDER / name).read_bytes())) for name in bundle.manifest().files]
    assert sum(sizes) <= LIMIT


def test_each_package_is_locked_and_has_its_licence() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())["packages"]
    licences = (bundle.FOLDER / "licences.txt").read_text()
    manifest = bundle.manifest()
    assert {"preact", "uplot", "@codemirror/state"} <= manifest.packages.keys()
    for name, version in manifest.packages.items():
        assert lock[f"node_modules/{name}"]["version"] == version
        assert f"{name} {version} (MIT)" in licences
    assert all(entry.get("integrity", "").startswith("sha512-") for path, entry in lock.items() if path)


def test_the_document_loads_its_own_files_only() -> None:
    text = (bundle.FOLDER / "index.html").read_text()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert loaded and all(Path(name).name in bundle.manifest().files for name in loaded)
    assert "<style" not in text and not re.search(r"<script(?![^>]*src)|\son\w+=|style=", text)


def test_the_policy_allows_nothing_inline_and_nobody_else() -> None:
    directives = dict(part.strip().split(" ", 1) for part in guard.POLICY.split(";"))
    assert directives["default-src"] == "'none'"
    assert {directives[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}


def test_server_and_page_know_the_same_views() -> None:
    text = (WEB / "src" / "views.ts").read_text()
    assert set(re.findall(r'import\("./views/(\w+)"\)', text)) <= set(app.VIEWS)
