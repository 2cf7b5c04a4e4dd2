"""A data set described in JSON-LD, as MLCommons Croissant 1.0 asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from exposurebench.dataset import Dataset, Row

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
_TERMS = (
    "citeAs", "column", "conformsTo", "dataType", "examples", "extract", "field", "fileObject", "fileProperty",
    "fileSet", "format", "includes", "key", "recordSet", "references", "regex", "repeated", "replace", "separator",
    "source", "subField", "transform",
)  # fmt: skip
_MEDIA = {"png": "image/png", "jpg": "image/jpeg"}
_TEXT = ("id", "scene", "license", "notes")
_MEANINGS = {
    "input_file_name": "the badly exposed image, relative to the split's folder",
    "target_file_name": "the well-exposed image, relative to the split's folder; several inputs may share one",
    "id": "the key of the pair",
    "scene": "the photograph that the pair was made from",
    "tau": "the light that becomes white, as a share of the full range",
    "exposure_ev": "how much brighter the input is than the target, in EV",
    "display_threshold": "the display value from which on the target is clipped",
    "clipped_share": "share of the pixels that lose light to clipping",
    "target_exr": "the light to be predicted, linear Rec. 709, OpenEXR",
    "radiance_exr": "the light that the input shows, linear Rec. 709, OpenEXR",
    "preview_file_name": "an 8-bit picture of the target's light, to look at",
    "ev": "the exposure, in stops; plus is brighter",
    "crf": "the camera's response function",
    "gain": "what the source's light was multiplied by",
    "input_is_target": "whether the input is the target already",
    "source_facts": "what the source's file says of itself, JSON",
    "overexposed": "share of the photograph's pixels whose brightest channel is >= 250 of 255",
    "underexposed": "share of the photograph's pixels whose brightest channel is <= 5 of 255",
}


def describe(dataset: Dataset, columns: Mapping[str, Sequence[str]], sample: Sequence[Row]) -> dict[str, Any]:
    """The description of a data set: where its files lie, their hashes, and what every column holds.

    Args:
        dataset: the data set.
        columns: the manifest's columns of each split.
        sample: some manifest rows as text, from which the columns' types are told.
    """
    document, source = dataset.document, dataset.document["source"]
    used: dict[str, Any] = {
        "@context": _context(),
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": dataset.name,
        "description": f"{document['title']}. Made by: {document['command']}",
        "license": license_of(dataset),
        "citeAs": source["citation"],
        "url": source["url"],
        "distribution": [part for split in dataset.splits for part in _files(dataset, split, columns[split])],
        "recordSet": [_records(split, columns[split], sample) for split in dataset.splits],
    }
    return {key: value for key, value in used.items() if value != ""}


def license_of(dataset: Dataset) -> str:
    """The licence that a recipe states for its photographs, else that of their source."""
    return str(dataset.recipe().source_settings.get("license") or dataset.document["source"]["license"])


def _files(dataset: Dataset, split: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "@type": "cr:FileObject",
            "@id": f"{split}/metadata.csv",
            "name": f"{split}/metadata.csv",
            "description": f"the manifest of the split {split}, a row a pair",
            "contentUrl": f"{split}/metadata.csv",
            "encodingFormat": "text/csv",
            "sha256": dataset.document["manifest"][split],
        },
        *(
            {
                "@type": "cr:FileSet",
                "@id": f"{split}/{side}",
                "name": f"{split}/{side}",
                "description": f"the {side} images of the split {split}",
                "includes": f"{split}/{side}/**",
                "encodingFormat": media,
            }
            for side, media in _sides(dataset, columns)
        ),
    ]


def _sides(dataset: Dataset, columns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The folders of images that the columns name, with what kind of files they hold."""
    for column in columns:
        if column.endswith("_exr"):
            yield column.removesuffix("_exr"), "image/x-exr"
        elif column.endswith("_file_name"):
            side = column.removesuffix("_file_name")
            ours = side == "input" and "jpeg_quality" not in columns
            yield side, _MEDIA[dataset.document["recipe"]["format"]] if ours else "image/*"


def _records(split: str, columns: Sequence[str], sample: Sequence[Row]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": f"the pairs of the split {split}",
        "key": {"@id": f"{split}/id"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{split}/{column}",
                "name": column,
                "description": _MEANINGS.get(column, column.replace("_", " ")),
                "dataType": data_type(column, [row.get(column, "") for row in sample]),
                "source": {"fileObject": {"@id": f"{split}/metadata.csv"}, "extract": {"column": column}},
            }
            for column in columns
        ],
    }


def data_type(column: str, cells: Sequence[str]) -> str:
    """What a column of a manifest holds, told from its name or from cells of it.

    >>> data_type("tau", ["0.5", "1"]), data_type("width", ["512"]), data_type("id", ["512"])
    ('sc:Float', 'sc:Integer', 'sc:Text')
    """
    if column in _TEXT or column.endswith(("_file_name", "_exr", "_sha256")):
        return "sc:Text"
    kinds: tuple[tuple[str, type], ...] = (("sc:Integer", int), ("sc:Float", float))
    for name, kind in kinds:
        try:
            for cell in cells:
                kind(cell)
        except ValueError:
            continue
        return name
    return "sc:Boolean" if set(cells) <= {"True", "False"} else "sc:Text"


def _context() -> dict[str, Any]:
    return {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "dct": "http://purl.org/dc/terms/",
        **{term: f"cr:{term}" for term in _TERMS},
        "conformsTo": "dct:conformsTo",
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
    }
