"""Archives, hostile ones among them: everything in them is unpacked, or nothing is and one line says why."""

from __future__ import annotations

import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from exposurebench import archives
from exposurebench.archives import read_member, stream_members, unpack, zip_members
from exposurebench.errors import InputError


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def make_tar(path: Path, members: list[tarfile.TarInfo | tuple[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return path


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def sparse(name: str, size: int) -> tarfile.TarInfo:
    info = special(name, tarfile.REGTYPE)
    info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.size": str(size), "GNU.sparse.map": "0,0"}
    return info


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_unpack(tmp_path: Path, mode: str) -> None:
    folder = special("plain", tarfile.DIRTYPE)
    archive = make_tar(tmp_path / "x.tar", [folder, ("plain/a.jpg", b"a"), ("b/c d/ü.jpg", b"b")], mode)
    assert unpack(archive, tmp_path / "out") == tmp_path / "out"
    assert tree(tmp_path / "out") == {"plain/a.jpg": b"a", "b/c d/ü.jpg": b"b"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "x.tar"]


def test_unpack_takes_off_a_wrapper_of_the_same_name(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "x.tar", [("val_256/a.jpg", b"a")])
    assert tree(unpack(archive, tmp_path / "val_256")) == {"a.jpg": b"a"}
    assert tree(unpack(archive, tmp_path / "other")) == {"val_256/a.jpg": b"a"}


def test_unpack_again_changes_nothing(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "x.tar", [("a.jpg", b"a")])
    unpack(archive, tmp_path / "out")
    (tmp_path / "out" / "a.jpg").write_bytes(b"mine")
    unpack(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == {"a.jpg": b"mine"}


def test_unpack_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = make_tar(tmp_path / "x.tar", [("a.jpg", b"a"), ("b.jpg", b"b")])

    def interrupted(_: object, folder: Path) -> None:
        (folder / "half.jpg").write_bytes(b"h")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(archives, "_unpack", interrupted)
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert tree(unpack(archive, tmp_path / "out")) == {"a.jpg": b"a", "b.jpg": b"b"}


@pytest.mark.parametrize(
    "member",
    [
        ("../outside.jpg", b"x"),
        ("a/../../outside.jpg", b"x"),
        special("link", tarfile.SYMTYPE, "../outside"),
        special("link", tarfile.SYMTYPE, "a.jpg"),
        special("link", tarfile.LNKTYPE, "../../etc/passwd"),
        special("null", tarfile.CHRTYPE),
        special("disk", tarfile.BLKTYPE),
        special("pipe", tarfile.FIFOTYPE),
        ("a.jpg", b"again"),
        ("./a.jpg", b"again"),
        ("a.jpg/b.jpg", b"below a file"),
        ("..\\outside.jpg", b"x"),
        ("a\nb.jpg", b"x"),
        sparse("holes", 1 << 30),
    ],
    ids=lambda member: repr(member if isinstance(member, tuple) else (member.name, member.type)),
)
def test_unpack_refuses(tmp_path: Path, member: tarfile.TarInfo | tuple[str, bytes]) -> None:
    archive = make_tar(tmp_path / "x.tar", [("a.jpg", b"a"), member])
    with pytest.raises(InputError, match="refused") as error:
        unpack(archive, tmp_path / "deep" / "out")
    one_line(error)
    assert tree(tmp_path) == {"x.tar": archive.read_bytes()}


def test_unpack_keeps_absolute_paths_inside(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "x.tar", [(f"{tmp_path}/outside.jpg", b"x")])
    unpack(archive, tmp_path / "out")
    assert not (tmp_path / "outside.jpg").exists()
    assert list(tree(tmp_path / "out").values()) == [b"x"]


@pytest.mark.parametrize("data", [b"", b"no archive", b"<html>" * 200, b"\x1f\x8b\x08" + bytes(600)])
def test_unpack_of_something_else(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(InputError, match="get it again") as error:
        unpack(tmp_path / "x.tar", tmp_path / "out")
    one_line(error)
    assert [p.name for p in tmp_path.iterdir()] == ["x.tar"]


def test_unpack_of_a_truncated_archive(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "x.tar", [("a.jpg", bytes(5000))])
    os.truncate(archive, 2000)
    with pytest.raises(InputError, match="get it again"):
        unpack(archive, tmp_path / "out")
    with pytest.raises(InputError, match="cannot be opened"):
        unpack(tmp_path / "absent.tar", tmp_path / "out")


def make_zip(path: Path, members: list[zipfile.ZipInfo | str], data: bytes = b"light", **settings: int) -> Path:
    with zipfile.ZipFile(path, "w", **settings) as zipped:  # type: ignore[arg-type]
        for member in members:
            zipped.writestr(member, data)
    return path


def linked(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (mode | 0o777) << 16
    return info


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_unpack_a_zip(tmp_path: Path, compression: int) -> None:
    data = np.random.default_rng(0).bytes(200_000)
    archive = make_zip(tmp_path / "x.zip", ["out/a.jpg", "out/b c/\u00fc.jpg"], data, compression=compression)
    assert tree(unpack(archive, tmp_path / "out")) == {"a.jpg": data, "b c/\u00fc.jpg": data}
    found = zip_members(archive)
    assert [(m.name, m.size) for m in found] == [("out/a.jpg", 200_000), ("out/b c/\u00fc.jpg", 200_000)]
    assert read_member(archive, found[1]) == data
    assert {name: b"".join(chunks) for name, chunks in stream_members(archive)} == {m.name: data for m in found}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "member",
    [
        "../outside.jpg",
        "a/../../outside.jpg",
        "..\\outside.jpg",
        "a.jpg",
        "./a.jpg",
        "a.jpg/b.jpg",
        "a\nb.jpg",
        linked("link", stat.S_IFLNK),
        linked("disk", stat.S_IFBLK),
        linked("pipe", stat.S_IFIFO),
    ],
    ids=lambda member: repr(member if isinstance(member, str) else member.filename),
)
def test_unpack_refuses_a_zip(tmp_path: Path, member: zipfile.ZipInfo | str) -> None:
    archive = make_zip(tmp_path / "x.zip", ["a.jpg", member])
    with pytest.raises(InputError, match="refused") as error:
        unpack(archive, tmp_path / "deep" / "out")
    one_line(error)
    assert tree(tmp_path) == {"x.zip": archive.read_bytes()}


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_unpacks_to_far_more_is_refused(tmp_path: Path, method: int) -> None:
    archive = make_zip(tmp_path / "x.zip", ["a.jpg"], bytes(20 << 20), compression=method)
    with pytest.raises(InputError, match="refused") as error:
        unpack(archive, tmp_path / "out")
    one_line(error)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.zip"]


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_tar_that_unpacks_to_far_more_is_refused(tmp_path: Path, mode: str) -> None:
    noise = np.random.default_rng(0).bytes(300_000)
    archive = make_tar(tmp_path / "x.tar", [("a.jpg", noise), ("bomb", bytes(40 << 20)), ("b.jpg", noise)], mode)
    assert archive.stat().st_size - 2 * len(noise) < (40 << 20) // 200
    with pytest.raises(InputError, match="'bomb', which unpacks to more than 200 times"):
        unpack(archive, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.tar"]


def test_ten_thousand_to_one_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """xz packs zeros 7,000 times smaller, and a tar of them again."""
    with lzma.open(tmp_path / "x.tar.xz", "wb", preset=0) as packed:
        info = special("bomb", tarfile.REGTYPE)
        info.size = 200 << 20
        packed.write(info.tobuf())
        for _ in range(200):
            packed.write(bytes(1 << 20))
    written = []
    with pytest.raises(InputError, match="refused"):
        for _, chunks in stream_members(tmp_path / "x.tar.xz"):
            written += [len(chunk) for chunk in chunks]
    with pytest.raises(InputError, match="refused"):
        unpack(tmp_path / "x.tar.xz", tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.tar.xz"]


def patched(archive: Path, signature: bytes, offset: int, value: bytes, number: int = 0) -> None:
    """Write over one field of the n-th record that begins so."""
    data = bytearray(archive.read_bytes())
    position = -1
    for _ in range(number + 1):
        position = data.index(signature, position + 1)
    data[position + offset : position + offset + len(value)] = value
    archive.write_bytes(data)


DIRECTORY, END = b"PK\x01\x02", b"PK\x05\x06"


def test_a_zip_that_says_less_than_it_holds_gives_no_more_than_it_says(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "x.zip", ["a.jpg"], bytes(100_000), compression=zipfile.ZIP_DEFLATED)
    patched(archive, DIRECTORY, 24, struct.pack("<L", 1000))
    with pytest.raises(InputError, match="get it again"):
        unpack(archive, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.zip"]


def test_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """The other kind of bomb: many entries of the directory for one member."""
    archive = make_zip(tmp_path / "x.zip", ["a.jpg", "b.jpg"], bytes(1000))
    data = archive.read_bytes()
    patched(archive, DIRECTORY, 46, b"a.jpg", 1)
    patched(archive, DIRECTORY, 42, struct.pack("<L", 0), 1)
    assert archive.read_bytes() != data
    with pytest.raises(InputError, match="overlaps"):
        zip_members(archive)


def test_a_damaged_zip(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "x.zip", ["a.jpg", "b.jpg"], bytes(range(256)) * 40)
    whole = archive.read_bytes()
    for broken in (whole[:5000], whole[:5000] + b"?" + whole[5001:], whole[:-30] + whole[-22:]):
        archive.write_bytes(broken)
        with pytest.raises(InputError, match="get it again") as error:
            unpack(archive, tmp_path / "out")
        one_line(error)
    patched(make_zip(archive, ["a.jpg"]), DIRECTORY, 8, struct.pack("<H", 1))
    with pytest.raises(InputError, match="encrypted"):
        zip_members(archive)
    (tmp_path / "x.7z").write_bytes(b"7z\xbc\xaf\x27\x1c and so on")
    with pytest.raises(InputError, match="'7z x'"):
        unpack(tmp_path / "x.7z", tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.7z", "x.zip"]


# ---- positions cut to fewer bits ---------------------------------------------------------------------------


def cut_positions(archive: Path, wrap: int) -> dict[str, int]:
    """Write every position of a zip's directory modulo a number, as programs without ZIP64 do; the true ones by name."""
    with zipfile.ZipFile(archive) as zipped:
        true, begin = {i.filename: i.header_offset for i in zipped.infolist()}, zipped.start_dir
    data = bytearray(archive.read_bytes())
    position = begin
    for offset in true.values():
        struct.pack_into("<L", data, position + 42, offset % wrap)
        position += 46 + sum(struct.unpack_from("<3H", data, position + 28))
    assert data[position : position + 4] == END
    struct.pack_into("<L", data, position + 16, begin % wrap)
    archive.write_bytes(data)
    return true


def ordinary_reader_fails(archive: Path) -> bool:
    try:
        with zipfile.ZipFile(archive) as zipped:
            return zipped.testzip() is not None
    except zipfile.BadZipFile:
        return True


@pytest.mark.parametrize("wrap", [1 << 14, 1 << 16, 1 << 20])
def test_positions_that_wrapped_are_found_again(tmp_path: Path, wrap: int) -> None:
    """Some 300 kB under 20 names: cut to 14 or 16 bits, their positions wrap; to 20 bits, they do not."""
    draw = np.random.default_rng(1)
    files = {f"Raws/Scene {n % 5}/_MDF{n:04d}.NEF": draw.bytes(draw.integers(30_000)) for n in range(20)}
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in files.items():
            zipped.writestr(name, data)
    true = cut_positions(archive, wrap)
    wraps = max(true.values()) // wrap
    assert (wraps >= 3) == (wrap < 1 << 20)
    assert ordinary_reader_fails(archive) == bool(wraps)
    found = zip_members(archive, wrap=wrap)
    assert {m.name: read_member(archive, m) for m in found} == files
    if wraps:
        with pytest.raises(InputError, match="is not where it should be"):
            zip_members(archive)


@pytest.mark.slow
def test_positions_cut_to_32_bits(tmp_path: Path) -> None:
    """The real thing: 12 GiB of which all but a few bytes are a hole in the file; three wraps, as in the survey's zip."""
    archive = tmp_path / "x.zip"
    names = [f"HDRPS_Raws/Scene/_MDF{n:04d}.NEF" for n in range(8)]
    directory = []
    with archive.open("wb") as stream:
        for number, name in enumerate(names):
            stream.seek(number * (14 << 30) // 8)
            position, data = stream.tell(), b"light %d" % number
            fields = (0, 0, 0, 0, zlib.crc32(data), len(data), len(data), len(name), 0)
            stream.write(struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, *fields) + name.encode() + data)
            entry = struct.pack("<4s6H3L5H2L", DIRECTORY, 20, 20, *fields, 0, 0, 0, 0, position % (1 << 32))
            directory.append(entry + name.encode())
        begin, whole = stream.tell(), b"".join(directory)
        stream.write(whole)
        stream.write(struct.pack("<4s4H2LH", END, 0, 0, 8, 8, len(whole), begin % (1 << 32), 0))
    assert begin >> 32 == 3
    assert ordinary_reader_fails(archive)
    assert [read_member(archive, m) for m in zip_members(archive)] == [b"light %d" % n for n in range(8)]
