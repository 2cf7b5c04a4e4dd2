"""Pixels in and out of files. What a file holds is decided by its content, never by its suffix."""

from exposurebench.images.image import Encoding, Image, look_up, quantize
from exposurebench.images.reading import PIXEL_LIMIT, RAW_SUFFIXES, read_image
from exposurebench.images.resizing import resize
from exposurebench.images.writing import FORMATS, encode_image

__all__ = [
    "FORMATS",
    "PIXEL_LIMIT",
    "RAW_SUFFIXES",
    "Encoding",
    "Image",
    "encode_image",
    "look_up",
    "quantize",
    "read_image",
    "resize",
]
