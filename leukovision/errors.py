"""A code and values come in; the sentence for a person goes out, of which both can be read again.

What is wrong, why a cell is judged so, and what is marked: every such sentence has its code here and its
words under "said" in `locales/`. Who raises an error names the code; who shows it says it in a language
with `Texts.said`, from the code and the values. `str` of it is English.
"""

from __future__ import annotations

from typing import Any, Literal

from leukovision.i18n import ENGLISH, Sentence

Code = Literal[
    "one_colour", "empty", "no_image", "stored", "no_scale", "as_text", "no_pydicom", "no_light",
    "broken", "too_large", "given_up", "not_read", "busy", "animated", "too_small", "not_on_black",
    "second", "compressed", "far", "smaller", "larger", "colours", "less_contrast", "more_contrast",
    "less_sharp", "grainy", "between", "together_between", "none_known", "one_by_one", "embedded", "cached",
    "not_cached", "half_cached", "hub_error", "hub_away", "no_manifest", "no_json", "newer",
    "not_whole", "changed", "cache_locked", "link_out", "no_file", "not_finite", "tensor_large",
    "tensor_variance", "tensor_scale", "no_repository", "no_revision", "gated", "mark_touches",
    "mark_blurred", "mark_broken", "mark_lobed", "unreadable", "no_zip", "zip_in_zip", "no_pictures",
    "too_many", "large_inside", "large_together", "locked", "crowded", "zip_name", "packed",
    "too_many_cells", "no_outline", "no_box", "no_act", "cell_of", "no_tensors", "tensor_type",
    "wrong_field", "no_commit", "cache_full", "not_pulled", "not_in_it", "no_ensemble", "hub_refused",
    "special_file", "giant", "no_table", "no_column", "too_many_rows", "no_rows", "long_names",
    "broken_table", "no_picture", "no_cell", "trait_not_on_black", "trait_no_nucleus",
    "trait_small_nucleus", "trait_no_cytoplasm",
]  # fmt: skip
"""Every sentence that the page can show."""


def sentence(code: Code, **values: Any) -> Sentence:
    """A sentence by its code, for an error or a reason.

    Args:
        code: of the sentence.
        values: for the names in its braces.

    Raises:
        KeyError: a value is missing.
    """
    return Sentence(ENGLISH(f"said.{code}", **values), code, values)


__all__ = ["Code", "Sentence", "sentence"]
