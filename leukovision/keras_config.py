"""Keras as a user, or the program around us, has set it comes in; Keras as this package needs it goes out."""

from __future__ import annotations

BACKEND = "tensorflow"


def configure() -> None:
    """Before a network is built: nothing of keras.json counts.

    Raises:
        ImportError: the program around us has imported Keras before, with another backend.
    """
    import keras

    if (other := keras.backend.backend()) != BACKEND:
        raise ImportError(
            f"Keras was imported before leukovision, and runs on {other}; import leukovision first, or set "
            f"KERAS_BACKEND={BACKEND}."
        )
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.mixed_precision.set_global_policy("float32")
