"""Downloads from a local server that misbehaves in every way the real ones do."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from exposurebench.download import cache_folder, download
from exposurebench.errors import InputError, MissingError, StorageError

DATA = bytes(range(256)) * 1000
SIZE = len(DATA)
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
SHA256 = hashlib.sha256(DATA).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """The path says how the server behaves; the requests are kept."""

    seen: list[tuple[str, str | None]]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.seen.append((self.path, asked))
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        body, status, headers = DATA, 200, {"Content-Type": "application/octet-stream"}
        if self.path == "/range" and start:
            body, status = DATA[start:], 206
            headers["Content-Range"] = f"bytes {start}-{SIZE - 1}/{SIZE}"
        elif self.path == "/elsewhere" and start:
            body, status = DATA[7:], 206
            headers["Content-Range"] = f"bytes 7-{SIZE - 1}/{SIZE}"
        elif self.path == "/416" and start:
            body, status = b"", 416
        elif self.path == "/html":
            body, headers["Content-Type"] = b"<p>log in</p>", "text/html; charset=utf-8"
        elif self.path == "/hidden-html":
            body = b"\n <!DOCTYPE HTML><title>log in</title>"
        elif self.path == "/404":
            body, status = b"gone", 404
        if self.path != "/unsized":
            headers["Content-Length"] = str(len(body))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: SIZE // 2] if self.path == "/breaks" else body)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    Handler.seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_full(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = download(f"{server}/range", tmp_path / "new" / "file", size=SIZE, md5=MD5, sha256=SHA256)
    assert path.read_bytes() == DATA
    assert [p.name for p in path.parent.iterdir()] == ["file"]
    assert capsys.readouterr() == ("", "")


def test_a_right_file_is_not_asked_for_again(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    Handler.seen.clear()
    download(f"{server}/range", tmp_path / "file", size=SIZE, md5=MD5)
    assert not Handler.seen


def test_a_wrong_file_is_not_overwritten(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(InputError, match="move it away") as error:
        download(f"{server}/range", tmp_path / "file", size=SIZE)
    one_line(error)
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("behaviour", "ranges"),
    [
        ("range", ["bytes=1000-"]),
        ("ignores", ["bytes=1000-"]),
        ("416", ["bytes=1000-", None]),
        ("elsewhere", ["bytes=1000-", None]),
    ],
)
def test_resume(server: str, tmp_path: Path, behaviour: str, ranges: list[str | None]) -> None:
    (tmp_path / "file.part").write_bytes(DATA[:1000])
    Handler.seen.clear()
    path = download(f"{server}/{behaviour}", tmp_path / "file", size=SIZE, sha256=SHA256)
    assert path.read_bytes() == DATA
    assert [asked for _, asked in Handler.seen] == ranges


def test_a_part_that_nothing_can_prove_right_is_not_resumed(server: str, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(b"another version")
    assert download(f"{server}/range", tmp_path / "file").read_bytes() == DATA


def test_a_part_that_is_too_long_starts_anew(server: str, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(DATA + b"more")
    assert download(f"{server}/range", tmp_path / "file", size=SIZE, md5=MD5).read_bytes() == DATA


def test_a_whole_part_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(DATA)
    path = download("http://127.0.0.1:9/x", tmp_path / "file", size=SIZE, md5=MD5, offline=True)
    assert path.read_bytes() == DATA


def test_interrupted_keeps_the_part_and_resumes(server: str, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="run again") as error:
        download(f"{server}/breaks", tmp_path / "file", size=SIZE, sha256=SHA256)
    one_line(error)
    assert (tmp_path / "file.part").read_bytes() == DATA[: SIZE // 2]
    assert not (tmp_path / "file").exists()
    Handler.seen.clear()
    assert download(f"{server}/range", tmp_path / "file", size=SIZE, sha256=SHA256).read_bytes() == DATA
    assert Handler.seen == [("/range", f"bytes={SIZE // 2}-")]


def test_without_a_stated_length(server: str, tmp_path: Path) -> None:
    assert download(f"{server}/unsized", tmp_path / "file", md5=MD5).read_bytes() == DATA


@pytest.mark.parametrize("behaviour", ["range", "unsized"])
@pytest.mark.parametrize("size", [SIZE - 1, SIZE + 1])
def test_wrong_size(server: str, tmp_path: Path, behaviour: str, size: int) -> None:
    expected = MissingError if behaviour == "unsized" and size > SIZE else InputError
    with pytest.raises(expected, match=f"{size:,}") as error:
        download(f"{server}/{behaviour}", tmp_path / "file", size=size)
    one_line(error)
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("wrong", [{"md5": "0" * 32}, {"md5_prefix": "0123"}, {"sha256": "0" * 64}])
def test_wrong_hash(server: str, tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(InputError, match="expected 0") as error:
        download(f"{server}/range", tmp_path / "file", size=SIZE, **wrong)  # type: ignore[arg-type]
    one_line(error)
    assert not list(tmp_path.iterdir())


def test_a_prefix_alone_is_said(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    download(f"{server}/range", tmp_path / "file", md5_prefix=MD5[:8])
    assert capsys.readouterr().err == "note: file was checked against 8 digits of its MD5; no more are known\n"


@pytest.mark.parametrize("behaviour", ["html", "hidden-html"])
def test_a_web_page_is_refused_and_leaves_the_part_alone(server: str, tmp_path: Path, behaviour: str) -> None:
    (tmp_path / "file.part").write_bytes(DATA[:1000])
    with pytest.raises(MissingError, match="web page") as error:
        download(f"{server}/{behaviour}", tmp_path / "file", size=SIZE, md5=MD5)
    assert f"{SIZE:,} bytes" in one_line(error)
    assert (tmp_path / "file.part").read_bytes() == DATA[:1000]


def test_offline(tmp_path: Path) -> None:
    with pytest.raises(MissingError) as error:
        download("http://127.0.0.1:9/x", tmp_path / "file", size=SIZE, offline=True)
    text = one_line(error)
    assert "http://127.0.0.1:9/x" in text
    assert f"{SIZE:,} bytes" in text
    assert str(tmp_path / "file") in text
    assert error.value.exit_code == 4


def test_network_trouble(server: str, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="404 Not Found") as error:
        download(f"{server}/404", tmp_path / "file")
    one_line(error)
    with pytest.raises(MissingError, match="network failed") as error:
        download("http://127.0.0.1:9/x", tmp_path / "file")
    one_line(error)
    with pytest.raises(ValueError, match="http"):
        download("file:///etc/passwd", tmp_path / "file")


def test_disk_trouble(server: str, tmp_path: Path) -> None:
    (tmp_path / "file.part").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="disk is full") as error:
        download(f"{server}/range", tmp_path / "file", size=SIZE)
    one_line(error)
    (tmp_path / "plain").write_bytes(b"")
    with pytest.raises(StorageError):
        download(f"{server}/range", tmp_path / "plain" / "file")


def test_progress(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    download(f"{server}/range", tmp_path / "file", progress=True)
    out, err = capsys.readouterr()
    assert not out
    assert "file" in err
    assert "100%" in err


def test_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPOSUREBENCH_CACHE", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("EXPOSUREBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder().name == "exposurebench"
