"""Pixels in and out of files. What a file holds is decided by its content, never by its suffix."""

from exposurebench.images.image import Encoding, Image, look_up, quantize
from exposurebench.images.reading import PIXEL_LIMIT, RAW_SUFFIXES, read_image
from exposurebench.images.resizing import resize
from exposurebench.images.writing import FORMATS, LIGHT_FORMATS, encode_image, encode_radiance

__all__ = [
    "FORMATS",
    "LIGHT_FORMATS",
    "PIXEL_LIMIT",
    "RAW_SUFFIXES",
    "Encoding",
    "Image",
    "encode_image",
    "encode_radiance",
    "look_up",
    "quantize",
    "read_image",
    "resize",
]
