"""A visitor comes in; what Gradio has to remember of them goes out, without what they sent and were shown.

Gradio would keep the last value of every component, for links to the state of a page, which are closed here:
180 kB of each visitor, those who ask by curl too, and all that they sent, for as long as it runs.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio.state_holder import SessionState, StateHolder


class Sessions(StateHolder):
    """Gradio's, of a page; to be put in the place of its own."""

    def __init__(self, page: gr.Blocks) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.set_blocks(page)

    def __getitem__(self, who: str) -> SessionState:
        if who not in self.session_data:
            self.session_data[who] = _Session(self.blocks)
        return super().__getitem__(who)


class _Session(SessionState):
    """Holds `gr.State`, and which components have changed, but no configuration of them."""

    def __init__(self, page: gr.Blocks) -> None:
        bare: Any = SimpleNamespace(default_config=page.default_config, blocks={})
        super().__init__(bare)

    def __setitem__(self, key: int, value: Any) -> None:
        super().__setitem__(key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass
