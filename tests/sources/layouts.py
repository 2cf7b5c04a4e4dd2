"""Small trees laid out as the published data sets are: six scenes each, pictures of 8 x 6 pixels."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

RAW = b"RAW in name only"
FIVEK_NAMES = (
    "a0001-jmac_DSC1459",
    "a0002-dgw_005",
    "a0700-x",
    "a1400-WP_CRW_6198",
    "a2117-20050510_213735__MG_1270",
    "a5000-k",
)
SURVEY = ("Luxo Double Checker", "Tunnel View (1)", "Tunnel View (2)", "Devil's Tower", "Half-Dome", "Peck Lake")


def picture(suffix: str, level: int = 118, depth: type = np.uint8) -> bytes:
    """A picture with one corner of its own, so that no two levels give one file."""
    pixels = np.full((6, 8, 3), level, depth)
    pixels[:2, :2] = level // 2
    return cv2.imencode(suffix, pixels)[1].tobytes()


def light(level: float = 0.18) -> bytes:
    return cv2.imencode(".hdr", np.full((6, 8, 3), level, np.float32))[1].tobytes()


def put(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def msec(root: Path) -> Path:
    """Base names with underscores and dots; two scenes a split; the test split with five experts."""
    files = {}
    bases = {
        "training": ("a0001-jmac_DSC1459", "a0017-050801_080948__I2E5512"),
        "validation": ("a3500-a_N1_b", "a3501-kme_0.5"),
        "testing": ("a4200-P1", "a4201-_0"),
    }
    for split, names in bases.items():
        for base in names:
            for ev, level in (("N1.5", 40), ("N1", 60), ("0", 120), ("P1", 180), ("P1.5", 220)):
                files[f"{split}/INPUT_IMAGES/{base}_{ev}.JPG"] = picture(".jpg", level)
            if split == "testing":
                for number, expert in enumerate("abcde"):
                    files[f"{split}/expert_{expert}_testing_set/{base}.jpg"] = picture(".jpg", 100 + 5 * number)
            else:
                files[f"{split}/GT_IMAGES/{base}.jpg"] = picture(".jpg", 110)
    return put(root, files)


def lol(root: Path) -> Path:
    files = {}
    for half, numbers in (("our485", (2, 5, 6, 7)), ("eval15", (1, 22))):
        for number in numbers:
            files[f"LOLdataset/{half}/low/{number}.png"] = picture(".png", 10 + number)
            files[f"LOLdataset/{half}/high/{number}.png"] = picture(".png", 110 + number)
    return put(root, files)


def lol_v2(root: Path) -> Path:
    files = {}
    for half, numbers in (("Train", range(1, 5)), ("Test", range(690, 692))):
        for n in numbers:
            for side, start, level in (("Low", "low", 15), ("Normal", "normal", 115)):
                files[f"LOL-v2/Real_captured/{half}/{side}/{start}{n:05d}.png"] = picture(".png", level)
                files[f"LOL-v2/Synthetic/{half}/{side}/r{n:05d}da54ft.png"] = picture(".png", level + 1)
    return put(root, files)


def lcdp(root: Path) -> Path:
    files = {}
    for number, (bad, good) in enumerate((("input", "gt"), ("valid-input", "valid-gt"), ("test-input", "test-gt"))):
        for name in ("a0259-dvf_029", "a1273-IMG_1444"):
            files[f"lcdp_dataset/{bad}/{name}.png"] = picture(".png", 30 + number)
            files[f"lcdp_dataset/{good}/{name}.png"] = picture(".png", 130 + number)
    return put(root, files)


def sice(root: Path) -> Path:
    files = {}
    for part, suffix, label in (("Dataset_Part1", ".JPG", "Label"), ("Dataset_Part2", ".jpg", "label")):
        for scene, frames in ((1, 3), (2, 7), (10, 9)):
            for k in range(1, frames + 1):
                files[f"{part}/{scene}/{k}{suffix}"] = picture(".jpg", 20 * k)
            files[f"{part}/{label}/{scene}{suffix}"] = picture(".jpg", 117)
    return put(root, files)


def singlehdr(root: Path) -> Path:
    files = {
        "HDR-Synth/funt/hdr/S0350.hdr": light(),
        "HDR-Synth/stanford/pool_p.hdr": light(),
        "HDR-Synth/list.pkl": b"\x80",
    }
    for n in range(6):
        files[f"HDR-Real/LDR_in/{n:05d}.jpg"] = picture(".jpg", 90 + n)
        files[f"HDR-Real/HDR_gt/{n:05d}.hdr"] = light(0.1 + 0.1 * n)
    return put(root, files)


def sihdr(root: Path) -> Path:
    files = {}
    for n in range(1, 7):
        files[f"reference/sihdr/reference/{n:03d}.exr"] = light(0.1 * n)  # what it holds decides, not its suffix
        for clip, level in (("clip_95", 120), ("clip_97", 100)):
            files[f"input/sihdr/input/{clip}/{n:03d}.png"] = picture(".png", level)
        for k in range(5):
            files[f"raw/sihdr/raw/{n:03d}/_07A{5797 + k}.CR2"] = RAW
    return put(root, files)


def fivek(root: Path) -> Path:
    """As the archive unpacks, with two of the five experts."""
    ranges = ("1to700", "1to700", "1to700", "1400to2100", "2101to2800", "4201to5000")
    files = {f"raw_photos/HQa{r}/photos/{name}.dng": RAW for r, name in zip(ranges, FIVEK_NAMES, strict=True)}
    files |= {f"img/tiff16_{e}/{n}.tif": picture(".tif", 30_000, np.uint16) for e in "ac" for n in FIVEK_NAMES}
    files["filesAdobe.txt"] = "\n".join(FIVEK_NAMES[:4]).encode()
    files["filesAdobeMIT.txt"] = "\n".join(FIVEK_NAMES[4:]).encode()
    return put(root, files)


def fairchild(root: Path, raw: bytes = RAW) -> Path:
    """The zip, three frames a scene and what a Mac leaves beside them; renders and light under names without spaces."""
    root.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(root / "HDRPS_Raws.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        for scene in SURVEY:
            for k in range(1, 4):
                zipped.writestr(f"HDRPS_Raws/{scene}/_MDF{k:04d}.NEF", raw)
            zipped.writestr(f"__MACOSX/HDRPS_Raws/{scene}/._MDF0001.NEF", b"fork")
    short = {scene.replace(" ", "").replace("'", "").replace("-", "") for scene in SURVEY}
    files = {f"Thumbs/{name}Rendered.jpg": picture(".jpg") for name in short}
    return put(root, files | {f"EXRs/{name}.exr": light() for name in short})


def brackets(root: Path) -> Path:
    """Folders of three frames, one of them with a render beside."""
    files = {f"scene{s}/{n}.jpg": picture(".jpg", 40 + 70 * n + s) for s in range(6) for n in range(3)}
    return put(root, {**files, "scene0_rendered.jpg": picture(".jpg", 130)})


LAID_OUT: dict[str, Callable[[Path], Path]] = {
    build.__name__: build for build in (msec, lol, lcdp, sice, singlehdr, sihdr, fivek, fairchild, brackets)
}
