"""exposurebench doctor"""

from __future__ import annotations

import click

from exposurebench.cli import options

_PACKAGES = {
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "simplejpeg": "simplejpeg",
    "PIL": "pillow",
    "pandas": "pandas",
    "torch": "torch",
    "torchvision": "torchvision",
    "rawpy": "rawpy",
    "OpenEXR": "openexr",
    "imageio": "imageio",
    "skimage": "scikit-image",
    "matplotlib": "matplotlib",
    "safetensors": "safetensors",
    "jinja2": "jinja2",
    "platformdirs": "platformdirs",
    "tqdm": "tqdm",
    "click": "click",
}


@click.command()
@options.as_json
def doctor(as_json: bool) -> int:
    """Say what is installed, what does not import and why, and where things lie."""
    import importlib
    import os
    import platform
    from importlib.metadata import version

    from exposurebench.download import cache_folder
    from exposurebench.files import shipped

    found: dict[str, str] = {}
    broken: dict[str, str] = {}
    for module, package in _PACKAGES.items():
        try:
            importlib.import_module(module)
            found[package] = version(package)
        except Exception as error:  # a package may fail to import in any way; that is what is reported
            broken[package] = f"{type(error).__name__}: {error}"
    accelerator = "none"
    if "torch" in found:
        import torch

        accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    about = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "accelerator": accelerator,
        "cache": str(cache_folder()),
        "recipes": str(shipped("recipes")),
        "packages": found,
        "broken": broken,
    }
    if as_json:
        options.emit(about)
    else:
        for key in ("python", "cores", "accelerator", "cache", "recipes"):
            click.echo(f"{key}: {about[key]}")
        click.echo("packages: " + ", ".join(f"{name} {number}" for name, number in found.items()))
        for name, reason in broken.items():
            click.echo(f"broken: {name}: {reason}; reinstall it: pip install --force-reinstall {name}", err=True)
    return 4 if broken else 0
