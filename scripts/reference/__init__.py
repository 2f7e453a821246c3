"""Writes the tables of `docs/reference/` from the code, so that a table cannot differ from what runs.

A page holds `<!-- generated: NAME [WORDS] -->`, the text, and `<!-- end -->`. `tables.TABLES` has one function for each
NAME. `make reference` writes all pages; `tests/docs/test_generated.py` fails for a page that is out of date.
"""
