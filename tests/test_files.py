"""The one atomic writer, hashes and safe names."""

import errno
import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposurebench import files
from exposurebench.errors import InputError, StorageError

ROOT = Path(__file__).resolve().parent.parent


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_writes_whole_files_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.bin"
    for data in (b"", b"\0" * 3_000_000, b"short"):
        files.write_bytes(path, data, durable=True)
        assert path.read_bytes() == data
        assert names(path.parent) == {"c.bin"}
    files.write_bytes(os.fspath(path), memoryview(b"view"))
    assert path.read_bytes() == b"view"
    before = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "mode", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "mode").stat().st_mode & 0o777 == 0o640, "a plain file, not a private temporary one"


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """The size limit of a process stands in for a full disk."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError, match=r"cannot write '.*a\.bin': the file size limit") as caught:
            files.write_bytes(path, b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.exit_code == 74
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == {"a.bin"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_no_space_is_said_so(tmp_path: Path) -> None:
    (tmp_path / ".a.tmp").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="the disk is full: free some space"):
        files.write_bytes(tmp_path / "a", b"data")
    assert not (tmp_path / "a").exists()


def test_a_destination_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "a", tmp_path / "file" / "b" / "c", tmp_path / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(StorageError, match="cannot write") as caught:
            files.write_bytes(path, b"data")
        assert "\n" not in str(caught.value)
    with pytest.raises(StorageError, match="choose another folder"):
        files.make_folder(tmp_path / "file")
    assert names(tmp_path) == {"file", "folder"}
    for number in (errno.EACCES, errno.EROFS, errno.EDQUOT):
        assert os.strerror(number) not in str(files.storage_error("a", OSError(number, os.strerror(number))))


def test_a_killed_writer_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    code = (
        "import sys\nfrom exposurebench.files import write_bytes\nn = 0\n"
        "while True:\n    n = (n + 1) % 256\n    write_bytes(sys.argv[1], bytes([n]) * 3_000_000)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, path], env={**os.environ, "PYTHONPATH": str(ROOT)})
    for _ in range(400):
        if path.exists():
            break
        threading.Event().wait(0.02)
    seen = [path.read_bytes() for _ in range(20)]
    process.kill()
    process.wait()
    for data in (*seen, path.read_bytes()):
        assert len(data) == 3_000_000
        assert data == data[:1] * 3_000_000
    assert names(tmp_path) <= {"a.bin", ".a.bin.tmp"}
    files.write_bytes(path, b"next")
    assert names(tmp_path) == {"a.bin"}, "the next run takes over what the killed one left"


def test_text_and_json(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a.txt", "é🙂\n\udcff")
    assert (tmp_path / "a.txt").read_bytes() == "é🙂\n\\udcff".encode()
    document = {"b": 1, "a": [0.1, None, "é"]}
    files.write_json(tmp_path / "a.json", document)
    assert (tmp_path / "a.json").read_text("utf-8") == json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    assert list(files.read_json(tmp_path / "a.json", "a document")) == ["b", "a"]
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "b.json", float("nan"))
    assert names(tmp_path) == {"a.txt", "a.json"}


def test_lines_at_the_end_of_a_file(tmp_path: Path) -> None:
    for text in ("a\n", "é\n"):
        files.append_text(tmp_path / "new" / "log", text, durable=True)
    assert (tmp_path / "new" / "log").read_text(encoding="utf-8") == "a\né\n"
    if Path("/dev/full").exists():
        with pytest.raises(StorageError, match="the disk is full"):
            files.append_text("/dev/full", "x")


def test_reading_json_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is missing: expected a manifest"):
        files.read_json(tmp_path / "a.json", "a manifest")
    for content in (b"{", b"\xff\xfe", b""):
        (tmp_path / "a.json").write_bytes(content)
        with pytest.raises(InputError, match="cannot be read as a manifest"):
            files.read_json(tmp_path / "a.json", "a manifest")
    with pytest.raises(InputError, match="cannot be read as a manifest"):
        files.read_json(tmp_path, "a manifest")


@given(st.binary(max_size=100))
def test_hashes(data: bytes) -> None:
    assert files.sha256(data) == files.sha256(memoryview(data)) == hashlib.sha256(data).hexdigest()


def test_hash_of_a_file(tmp_path: Path) -> None:
    data = os.urandom(1_500_000)
    (tmp_path / "a").write_bytes(data)
    assert files.sha256_file(tmp_path / "a") == files.sha256(data)


@given(st.text(max_size=200))
def test_keys_are_safe_everywhere(name: str) -> None:
    key = files.safe_key(name)
    assert re.fullmatch(r"[a-z0-9_-]{1,80}", key)
    assert key[0] not in "_-"
    assert files.safe_key(key) == key
    assert re.fullmatch(r"[0-9a-f]{8}", files.short_hash(name.encode("utf-8", "ignore").decode()))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a/airfield/00000001.jpg", "a_airfield_00000001_jpg"),
        ("../../etc/passwd", "etc_passwd"),
        ("Straße\n2", "strae_2"),
        ("---", "image"),
        ("x" * 200, "x" * 80),
    ],
)
def test_keys(name: str, key: str) -> None:
    assert files.safe_key(name) == key


def test_short_hash_takes_names_that_are_no_text() -> None:
    assert files.short_hash(os.fsdecode(b"\xff.jpg")) != files.short_hash(os.fsdecode(b"\xfe.jpg"))


def test_shipped_files_lie_beside_or_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "exposurebench"
    package.mkdir()
    monkeypatch.setattr(files, "__file__", str(package / "files.py"))
    assert files.shipped("recipes", "a.toml") == tmp_path / "recipes" / "a.toml"
    (package / "recipes").mkdir()
    assert files.shipped("recipes", "a.toml") == package / "recipes" / "a.toml"
    assert files.shipped("leaderboards") == tmp_path / "leaderboards"


def test_a_link_replaces_what_was_there_and_leaves_the_file_it_names(tmp_path: Path) -> None:
    (tmp_path / "source.png").write_bytes(b"light")
    for _ in range(2):
        assert files.write_link(tmp_path / "new" / "a.png", tmp_path / "source.png")
    assert (tmp_path / "new" / "a.png").read_bytes() == b"light"
    files.write_bytes(tmp_path / "new" / "a.png", b"copy")
    assert (tmp_path / "source.png").read_bytes() == b"light"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        files.write_link(tmp_path / "file" / "a.png", tmp_path / "source.png")


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("a.jpg", ("a", ".jpg")),
        ("a.b/c", ("a.b/c", "")),
        ("a.b/c.tar.gz", ("a.b/c.tar", ".gz")),
        ("d/.hidden", ("d/.hidden", "")),
        ("d/..jpg", ("d/.", ".jpg")),
        ("a.", ("a.", "")),
        ("a..", ("a..", "")),
        ("d/..", ("d/..", "")),
        ("", ("", "")),
    ],
)
def test_suffixes(path: str, parts: tuple[str, str]) -> None:
    assert files.split_suffix(path) == parts
