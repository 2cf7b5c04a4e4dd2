"""What people's folders really hold, on the command line: read right, or listed with its reason; one line, one code."""

import csv
import json
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from exposurebench.errors import ImageError
from exposurebench.images import read_image

ROOT = Path(__file__).resolve().parent.parent
DONE, LEFT_OUT, USAGE, BAD_INPUT, MISSING, STORAGE, INTERRUPTED = 0, 1, 2, 3, 4, 74, 130


def run(*words: object, cwd: Path, prepare: Callable[[], None] | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "exposurebench", "make-dataset", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=prepare,
    )
    return done.returncode, done.stdout, done.stderr


def build(cwd: Path, *words: object, source: str = "photographs") -> dict[str, object]:
    """A run that finishes: one JSON document on standard output, nothing on standard error."""
    code, output, errors = run(
        "folder", "--root", source, "--out", "set", "--tau", 0.5, "--json", "--workers", 2, *words, cwd=cwd
    )
    assert errors == ""
    return {"code": code, **json.loads(output)}


def refused(cwd: Path, *words: object, code: int, **more: object) -> str:
    """A run that ends at once: its code, one line on standard error, nothing on standard output."""
    found, output, errors = run(*words, "--json", cwd=cwd, **more)  # type: ignore[arg-type]
    assert (found, output, errors.count("\n")) == (code, "", 1), errors
    assert "Traceback" not in errors
    assert not list(cwd.rglob(".*.tmp"))
    return errors


def rejected(folder: Path) -> dict[str, str]:
    with (folder / "set" / "rejected.csv").open(newline="") as stream:
        return {row["source"]: row["reason"] for row in csv.DictReader(stream)}


def accepted(folder: Path) -> dict[str, dict[str, str]]:
    found = {}
    for path in (folder / "set").glob("*/metadata.csv"):
        with path.open(newline="") as stream:
            found.update({row["scene"]: {**row, "split": path.parent.name} for row in csv.DictReader(stream)})
    return found


def photograph(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(20, 236, (4, 5, 3)).astype(np.uint8)
    return cv2.resize(coarse, (40, 32))


def encoded(seed: int, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, photograph(seed))[1].tobytes()


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(3):
        (folder / f"good{number}.png").write_bytes(encoded(number))
    return folder


# ---- real odd files --------------------------------------------------------------------------------------


def test_the_real_odd_files_are_read_right_or_listed(tmp_path, shared):
    done = build(tmp_path, "--well-exposed", 1, "--set", "form=camera", source=str(shared / "data" / "quirks"))
    assert done["code"] == LEFT_OUT
    assert rejected(tmp_path) == {
        "broken_1280x960.jpg": rejected(tmp_path)["broken_1280x960.jpg"],
        "jpeg_named_1.nef": "is JPEG data under a RAW name: rename it to .jpg",
        "luma_chroma.exr": "holds scene light (OpenEXR); expected a display-encoded 8 or 16-bit image",
        "not_an_image.jpg": rejected(tmp_path)["not_an_image.jpg"],
    }
    kept = accepted(tmp_path)
    assert kept["alpha.png"]["notes"] == "alpha dropped"
    assert kept["gray8.png"]["notes"] == "gray repeated to three channels"
    assert "CMYK" in kept["cmyk.jpg"]["notes"]
    for number in (3, 6):
        assert kept[f"orientation_Landscape_{number}.jpg"]["notes"] == f"EXIF orientation {number} applied"
        assert int(kept[f"orientation_Landscape_{number}.jpg"]["width"]) > int(
            kept[f"orientation_Landscape_{number}.jpg"]["height"]
        )
    assert int(kept["orientation_Portrait_5.jpg"]["width"]) < int(kept["orientation_Portrait_5.jpg"]["height"])


def test_photographs_from_the_wild_are_read(tmp_path, shared):
    done = build(tmp_path, "--size", 64, source=str(shared / "data" / "wild"))
    assert done["code"] == DONE
    assert set(rejected(tmp_path).values()) <= {"not well exposed (limit 0.05)"}
    assert len(accepted(tmp_path)) + len(rejected(tmp_path)) == len(list((shared / "data" / "wild").iterdir()))


# ---- made odd files --------------------------------------------------------------------------------------


def png_bomb() -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def jpeg_bomb() -> bytes:
    data = bytearray(encoded(0, ".jpg"))
    start = data.index(b"\xff\xc0") + 5  # the frame header: length, precision, then height and width
    data[start : start + 4] = struct.pack(">HH", 60_000, 60_000)
    return bytes(data)


def test_damaged_and_hostile_files_are_listed(tmp_path, photographs):
    jpeg, png = encoded(7, ".jpg"), encoded(7)
    flipped = bytearray(png)
    flipped[len(png) // 2] ^= 1
    made = {
        "zero.jpg": (b"", "is empty (0 bytes)"),
        "bomb.png": (png_bomb(), "would decode to 60000 x 60000 pixels, over the limit of 200,000,000"),
        "bomb.jpg": (jpeg_bomb(), "would decode to 60000 x 60000 pixels, over the limit of 200,000,000"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "is damaged"),
        "cut.png": (png[: len(png) // 2], "is truncated"),
        "flipped.png": (bytes(flipped), "is damaged: the checksum"),
        "signature.png": (png[:8], "is damaged"),
        "signature.jpg": (b"\xff\xd8\xff", "is damaged"),
        "signature.tif": (b"II*\0", "is damaged"),
        "page.jpg": (b"<!DOCTYPE html><title>404</title>", "is not an image (starts with"),
        "text.txt": (b"read me\n", "is not an image"),
        "sensor.cr2": (b"II*\0" + bytes(100), "is a RAW file"),
        "float.tif": (
            cv2.imencode(".tiff", np.ones((9, 9, 3), np.float32))[1].tobytes(),
            "is damaged or of a kind that is not read",
        ),
        "empty_picture.gif": (b"GIF89a" + bytes(20), "is damaged"),
    }
    for name, (data, _) in made.items():
        (photographs / name).write_bytes(data)
    assert build(tmp_path)["code"] == LEFT_OUT
    found = rejected(tmp_path)
    assert found.keys() == made.keys()
    for name, (_, reason) in made.items():
        assert found[name].startswith(reason), name
    assert accepted(tmp_path).keys() == {"good0.png", "good1.png", "good2.png"}


def test_odd_names_are_kept_apart_and_told_by_name(tmp_path, photographs):
    names = [
        b"with space.png",
        b"new\nline.png",
        b"carriage\rreturn.png",
        b'comma, "quoted".png',
        "smile \N{GRINNING FACE}.png".encode(),
        b"up..down.png",
        b"--out.png",
        b"-rf",
        b"n" * 246 + b".png",
        b"caf\xe9.png",
        "café.png".encode(),
        b"Case.png",
        b"case.png",
        b"case.jpg",
        b"CASE.PNG",
        b"back\\slash.png",
        b"\xe3\x81\x82.png",
        b"con.png",
        b"%s{0}$HOME.png",
    ]
    for number, name in enumerate(names):
        data = encoded(100 + number, ".jpg" if name.endswith(b"jpg") else ".png")
        (photographs / os.fsdecode(name)).write_bytes(data)
    (photographs / "a..b").mkdir()
    (photographs / "a..b" / "deep.png").write_bytes(encoded(200))
    done = build(tmp_path, "--split", "test")
    assert done["code"] == DONE
    assert rejected(tmp_path) == {}
    rows = accepted(tmp_path)
    assert len(rows) == len(names) + 4
    assert len({row["id"] for row in rows.values()}) == len(rows)
    assert len({row["id"].lower() for row in rows.values()}) == len(rows)
    assert len({row["target_sha256"] for row in rows.values()}) == len(rows)
    for row in rows.values():
        assert set(row["id"]) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
        assert not row["id"].startswith("-")
        assert len(row["id"]) < 100
    scenes = {name.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace") for name in names}
    scenes = {name.replace("\n", r"\x0a").replace("\r", r"\x0d") for name in scenes}
    assert rows.keys() == scenes | {"good0.png", "good1.png", "good2.png", "a..b/deep.png"}
    again = [sys.executable, "-m", "exposurebench", "verify", "set", "--rebuild", "99", "--root", "photographs"]
    checked = subprocess.run(
        again, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "intact" in checked.stdout


def test_links_pipes_and_sockets_do_not_hold_it_up(tmp_path, photographs, monkeypatch):
    (photographs / "to itself.png").symlink_to("to itself.png")
    (photographs / "round").mkdir()
    (photographs / "round" / "and round").symlink_to(photographs)
    (photographs / "to nothing.png").symlink_to("nowhere.png")
    (photographs / "to good.png").symlink_to("good0.png")
    os.mkfifo(photographs / "pipe.png")
    monkeypatch.chdir(photographs)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        assert build(tmp_path)["code"] == LEFT_OUT
    found = rejected(tmp_path)
    assert found.keys() == {"to itself.png", "to nothing.png", "pipe.png", "socket.png"}
    assert found["pipe.png"] == found["socket.png"] == "is not a regular file"
    assert all(reason.startswith("cannot be opened") for name, reason in found.items() if name.startswith("to "))
    assert accepted(tmp_path).keys() == {"good0.png", "good1.png", "good2.png", "to good.png"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_listed(tmp_path, photographs):
    (photographs / "secret.png").write_bytes(encoded(9))
    (photographs / "secret.png").chmod(0)
    assert build(tmp_path)["code"] == LEFT_OUT
    assert rejected(tmp_path) == {"secret.png": "cannot be opened (Permission denied)"}


def test_any_damage_is_a_reason_and_nothing_else(tmp_path):
    """Seeded damage to every kind of file: an image comes back, or an ImageError of one line."""
    dice = random.Random(0)  # noqa: S311
    path = tmp_path / "damaged"
    pixels = cv2.resize(photograph(3), (24, 16))
    wholes = [cv2.imencode(suffix, pixels)[1].tobytes() for suffix in (".png", ".jpg", ".tiff", ".bmp", ".webp")]
    for whole in wholes:
        for _ in range(120):
            data = bytearray(whole)
            for _ in range(dice.randrange(1, 6)):
                data[dice.randrange(min(len(data), dice.choice((32, 10**6))))] = dice.randrange(256)
            path.write_bytes(data[: dice.choice((len(data), dice.randrange(len(data))))])
            try:
                assert read_image(path).pixels.ndim == 3
            except ImageError as error:
                assert "\n" not in str(error)


# ---- exit codes ------------------------------------------------------------------------------------------


def test_only_the_filter_dropped_some(tmp_path, photographs):
    (photographs / "white.png").write_bytes(cv2.imencode(".png", np.full((20, 20, 3), 255, np.uint8))[1].tobytes())
    done = build(tmp_path)
    assert done["code"] == DONE
    assert done["rejected"] == {"not well exposed": 1}
    assert build(tmp_path)["code"] == DONE


def test_photographs_are_never_enlarged(tmp_path, photographs):
    (photographs / "large.png").write_bytes(cv2.imencode(".png", cv2.resize(photograph(1), (90, 80)))[1].tobytes())
    done = build(tmp_path, "--size", 64)
    assert done["code"] == LEFT_OUT
    assert done["rejected"] == {"not paired": 3}
    assert rejected(tmp_path)["good0.png"].startswith("is 40 x 32, smaller than the asked 64")


def test_on_error_fail_ends_at_the_first_and_the_next_run_completes(tmp_path, photographs):
    (photographs / "bad\nname.png").touch()
    words = ("folder", "--root", "photographs", "--out", "set", "--tau", 0.5, "--workers", 2)
    errors = refused(tmp_path, *words, "--on-error", "fail", code=BAD_INPUT)
    assert errors == "error: 'bad\\\\x0aname.png' is empty (0 bytes); leave it out with --on-error skip\n"
    assert not (tmp_path / "set" / "dataset.json").exists()
    assert build(tmp_path)["code"] == LEFT_OUT
    assert len(accepted(tmp_path)) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("folder", "--tau", "2"), "tau must be in (0, 1]"),
        (("folder", "--tau", "bright"), "tau must be a number"),
        (("folder", "--set", "tua=0.5"), "did you mean 'tau'?"),
        (("folder", "--set", "tau"), "expected key=value"),
        (("foldre",), "did you mean 'folder'?"),
        (("folder", "--split", "train=0.9"), "shares that add up to 1"),
        (("folder", "--well-exposed", "7"), "well_exposed must be in 0 to 1"),
        (("folder", "--recipe", "nothing"), "unknown recipe 'nothing'"),
    ],
)
def test_a_setting_that_cannot_be_used(tmp_path, photographs, words, said):
    assert said in refused(tmp_path, *words, "--root", "photographs", "--out", "set", code=USAGE)
    assert not (tmp_path / "set").exists()


def test_a_flag_that_does_not_exist_is_a_usage_error(tmp_path):
    code, output, errors = run("folder", "--tua", "1", cwd=tmp_path)
    assert (code, output) == (USAGE, "")
    assert errors.startswith("error: No such option '--tua'")
    assert errors.count("\n") == 1


def test_folders_that_cannot_be_used(tmp_path, photographs):
    words = ("folder", "--root", "photographs", "--tau", 0.5)
    assert "no folder 'nowhere'" in refused(tmp_path, "folder", "--root", "nowhere", "--tau", 0.5, code=MISSING)
    (tmp_path / "empty").mkdir()
    assert "no files in 'empty'" in refused(tmp_path, "folder", "--root", "empty", "--tau", 0.5, code=BAD_INPUT)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").touch()
    assert "is not empty" in refused(tmp_path, *words, "--out", "thesis", code=USAGE)
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter1.tex"]
    (tmp_path / "file").write_text("mine")
    assert "is a file, not a folder: choose another folder" in refused(tmp_path, *words, "--out", "file", code=STORAGE)
    assert "choose another folder" in refused(tmp_path, *words, "--out", "file/set", code=STORAGE)
    assert (tmp_path / "file").read_text() == "mine"
    build(tmp_path)
    assert "tau 0.5 there, 0.4 asked" in refused(
        tmp_path, "folder", "--root", "photographs", "--tau", 0.4, "--out", "set", code=USAGE
    )


def test_an_unwritable_destination(tmp_path, photographs):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    out = "/sys/exposurebench" if os.geteuid() == 0 else "locked/set"  # root may write everywhere else
    errors = refused(tmp_path, "folder", "--root", "photographs", "--tau", 0.5, "--out", out, code=STORAGE)
    assert errors.startswith(f"error: cannot write '{out}")
    assert "choose another folder" in errors


def test_a_destination_that_fills_up(tmp_path, photographs):
    limit = 1500
    words = ("folder", "--root", "photographs", "--tau", 0.5, "--out", "set", "--workers", 2)
    errors = refused(
        tmp_path, *words, code=STORAGE, prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    assert errors.startswith("error: cannot write 'set/")
    assert all(path.stat().st_size != limit for path in (tmp_path / "set").rglob("*.png"))
    assert build(tmp_path)["code"] == DONE


def test_ctrl_c_is_one_line_and_130(tmp_path, photographs):
    for number in range(300):
        (photographs / f"more{number:03d}.png").write_bytes(encoded(number))
    words = ["folder", "--root", "photographs", "--tau", "0.5:1", "--out", "set", "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "exposurebench", "make-dataset", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not list((tmp_path / "set").glob("*/input/*.png")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (INTERRUPTED, "")
    assert errors == "\ninterrupted; run the same command again to go on\n"  # below the terminal's ^C
    assert not list((tmp_path / "set").rglob(".*.tmp"))


def test_a_dry_run_says_what_would_be_done_and_does_nothing(tmp_path, photographs):
    (photographs / "zero.jpg").touch()
    done = build(tmp_path, "--dry-run")
    assert done["code"] == DONE
    assert (done["scenes"], done["kept"]) == (4, 3)
    assert not (tmp_path / "set").exists()
