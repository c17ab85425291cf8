"""What a Hugging Face Space starts: serves the page with the ensemble that LEUKOVISION_ENSEMBLE names.

GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say where.
"""

from __future__ import annotations

from leukovision.demo.build import serve

if __name__ == "__main__":
    serve()
