"""`python -m scripts.reference`: writes the generated parts of the pages and prints which pages changed."""

import sys

from scripts.reference.pages import PAGES, missing, render


def main() -> None:
    """Ends with status 1 when something that exists in the code has no place in any page."""
    for page in PAGES:
        before = page.read_text("utf-8")
        after = render(before)
        if after != before:
            page.write_text(after, "utf-8")
            print(f"wrote {page.name}")
    if absent := missing():
        sys.exit("\n".join(f"no page has <!-- generated: {name} -->: add it" for name in absent))


main()
