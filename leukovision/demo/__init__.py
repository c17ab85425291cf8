"""The page, in Gradio: a tab, or what all tabs need, a file."""
