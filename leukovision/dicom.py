"""The bytes of a DICOM file come in; a `Raster` of its one frame of visible light goes out."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from leukovision.errors import sentence
from leukovision.raster import CellError, Raster, check_size, several, unreadable

_VISIBLE = "1.2.840.10008.5.1.4.1.1.77.1."
"""What the classes of endoscopes, microscopes and cameras begin with."""


def read_dicom(content: bytes, name: str, read: Callable[[bytes, str], Raster]) -> Raster:
    """Read a DICOM file.

    Args:
        content: the file.
        name: used in errors.
        read: reads a frame that is a JPEG or JPEG 2000 file of its own.

    Raises:
        CellError: pydicom is not installed, no visible light, several frames, or stored in a way that we
            cannot read.
        Exception: the file is broken; of whatever kind.
    """
    try:
        from pydicom import dcmread
        from pydicom.encaps import generate_frames
        from pydicom.pixels.processing import apply_color_lut
        from pydicom.pixels.utils import pixel_array
        from pydicom.uid import RLELossless
    except ImportError:
        raise CellError(sentence("no_pydicom", name=name)) from None
    data = dcmread(io.BytesIO(content))
    meaning = str(data.PhotometricInterpretation)
    grey = meaning.startswith("MONOCHROME")
    if grey and not str(data.get("SOPClassUID", "")).startswith(_VISIBLE):
        raise CellError(sentence("no_light", name=name, what=data.get("Modality", "?")))
    if int(data.get("NumberOfFrames") or 1) > 1:
        raise several(name)
    check_size(int(data.Columns), int(data.Rows), name)
    syntax = data.file_meta.TransferSyntaxUID
    profile = bytes(data.get("ICCProfile") or b"")
    if syntax.is_encapsulated and syntax != RLELossless:
        frame = next(generate_frames(data.PixelData, number_of_frames=1))
        if not frame.startswith((b"\xff\xd8\xff", b"\xff\x4f\xff\x51")):
            raise unreadable(name, f"DICOM, {syntax.name}")
        held = read(frame, name)
        return replace(held, profile=profile or held.profile, inverted=meaning == "MONOCHROME1")
    samples = pixel_array(data)
    if meaning == "PALETTE COLOR":
        samples = apply_color_lut(samples, data)
    samples = samples if samples.ndim == 3 else samples[..., None]
    if samples.shape[2] not in (1, 3):
        raise unreadable(name, f"DICOM, {meaning}")
    white = float(np.iinfo(samples.dtype).max) if meaning == "PALETTE COLOR" else 2.0**data.BitsStored - 1
    return Raster(
        samples, "L" if grey else "RGB", None, profile, white=white, inverted=meaning == "MONOCHROME1"
    )
