"""Limits on what a site may be, so that no input costs unbounded time or memory."""

FILE_CHARACTERS = 64 * 1024 * 1024
SITE_CHARACTERS = 256 * 1024 * 1024
FILES = 50_000
NESTING = 32
EXPRESSION_OPERATORS = 64
TEXT_CHARACTERS = 4096
NUMBER_CHARACTERS = 18
LOOP_STATEMENTS = 500_000
STATEMENTS = 5_000_000
INHERITED_SETTINGS = 2_000_000
LIST_LINES = 2_000_000
SYNTAX_ERRORS = 20
ERRORS = 200
SUFFIXES = (".tvs", ".csv", ".txt")
"""How the names of files end that a site may name."""
