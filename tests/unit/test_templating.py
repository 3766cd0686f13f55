"""What templates share: nothing is missing without an error, and a mistake is found where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.templating import Templates, decimal


def templates(folder: Path, **files: str) -> Templates:
    for name, text in files.items():
        (folder / f"{name}.j2").write_text(text)
    return Templates(folder, {"decimal": decimal})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one\n{{ missing }}\n", r"^text\.j2, line 2: 'missing' is undefined$"),
        ("one\n\n{{ nan | decimal }}\n", r"^text\.j2, line 3: nan is not a number"),
        (
            "{% from 'macro.j2' import show with context %}{{ show() }}",
            r"^text\.j2, in macro\.j2, line 3: 'missing'",
        ),
        ("one\n{{ open\n", r"^text\.j2, line 2: "),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    """Also inside a macro of another file, whose line alone would lead into the wrong one."""
    made = templates(tmp_path, text=text, macro="{% macro show() %}\n\n{{ missing }}{% endmacro %}\n")
    with pytest.raises(ValueError, match=message):
        made.render("text.j2", {"nan": float("nan")})


def test_block_tags_leave_no_lines_and_the_last_line_end_is_kept_on_request(tmp_path: Path) -> None:
    made = templates(tmp_path, text="{% if yes %}\n  a\n  {% endif %}\nb\n")
    assert made.render("text.j2", {"yes": True}) == "  a\nb"
    assert Templates(tmp_path, {}, final_newline=True).render("text.j2", {"yes": True}) == "  a\nb\n"


def test_numbers_have_no_exponents() -> None:
    assert decimal(1e-7) == "0.0000001"
    assert decimal(1e22) == "10000000000000000000000"
