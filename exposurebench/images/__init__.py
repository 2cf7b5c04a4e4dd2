"""Pixels in and out of files. What a file holds is decided by its content, never by its suffix."""

from exposurebench.images.exif import Exposure, read_exposure, relative_exposures
from exposurebench.images.image import PIXEL_LIMIT, Encoding, Image, look_up, quantize
from exposurebench.images.metadata import upright_exif, with_exif
from exposurebench.images.raw import read_raw
from exposurebench.images.reading import RAW_SUFFIXES, holds_light, read_image
from exposurebench.images.resizing import resize
from exposurebench.images.writing import FORMATS, LIGHT_FORMATS, encode_image, encode_radiance

__all__ = [
    "FORMATS",
    "LIGHT_FORMATS",
    "PIXEL_LIMIT",
    "RAW_SUFFIXES",
    "Encoding",
    "Exposure",
    "Image",
    "encode_image",
    "encode_radiance",
    "holds_light",
    "look_up",
    "quantize",
    "read_exposure",
    "read_image",
    "read_raw",
    "relative_exposures",
    "resize",
    "upright_exif",
    "with_exif",
]
