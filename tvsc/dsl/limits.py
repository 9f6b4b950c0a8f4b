"""Limits on what a site may be, so that no input costs unbounded time or memory."""

from tvsc.diag import diagnostic

FILE_CHARACTERS = 64 * 1024 * 1024
SITE_CHARACTERS = 256 * 1024 * 1024
FILES = 50_000
PATTERN_NAMES = 100_000
NESTING = 32
EXPRESSION_OPERATORS = 64
TEXT_CHARACTERS = 4096
WORD_CHARACTERS = 255
NAME_CHARACTERS = 64
NUMBER_CHARACTERS = 18
LOOP_STATEMENTS = 250_000
LOOP_WORDS = 1_500_000
LOOP_SERVERS = 131_072
LOOP_SERVICES = 32_768
LOOP_POOLS = 16_384
LOOP_NODES = 4_096
LOOP_SETTINGS = 65_536
STATEMENTS = 5_000_000
LIKE_LINKS = 64
INHERITED_SETTINGS = 2_000_000
LIST_LINES = 2_000_000
LIST_LINE_CHARACTERS = 4096
LIST_ERRORS = 20
SYNTAX_ERRORS = 20
ERRORS = 200
CODE_MESSAGES = diagnostic.MOST_OF_A_CODE
SUFFIXES = (".tvs", ".csv", ".txt")
"""How the names of files end that a site may name."""

LOOP_BLOCKS = {
    "server": LOOP_SERVERS,
    "service": LOOP_SERVICES,
    "pool": LOOP_POOLS,
    "node": LOOP_NODES,
    "cluster": LOOP_NODES,
}
"""What a node has room for, and more clusters and nodes than there are anywhere."""

MEANINGS = {
    "FILE_CHARACTERS": "bytes in a file",
    "SITE_CHARACTERS": "bytes in all files of a site",
    "FILES": "files of a site",
    "PATTERN_NAMES": "names of files and directories that the pattern of an `include` looks at",
    "NESTING": "blocks, parentheses or includes inside each other",
    "EXPRESSION_OPERATORS": "operators in an expression",
    "TEXT_CHARACTERS": "characters in a text, before and after variables are inserted",
    "WORD_CHARACTERS": "characters in a bare word or value",
    "NAME_CHARACTERS": "characters in the name of a thing",
    "NUMBER_CHARACTERS": "digits in a number",
    "LOOP_STATEMENTS": "statements in all loops together, each counted as often as it runs",
    "LOOP_WORDS": "words and values in all loops together, counted so",
    "LOOP_SERVERS": "`server` in all loops together, counted so",
    "LOOP_SERVICES": "`service` in all loops together, counted so",
    "LOOP_POOLS": "`pool` in all loops together, counted so",
    "LOOP_NODES": "`node`, or `cluster`, in all loops together, counted so",
    "LOOP_SETTINGS": "any other setting in all loops together, counted so",
    "STATEMENTS": "statements in all files, each counted as often as it is included",
    "LIKE_LINKS": "links in a chain of `like`",
    "INHERITED_SETTINGS": "settings that `like` and `defaults` copy",
    "LIST_LINES": "lines in all lists together",
    "LIST_LINE_CHARACTERS": "characters in a line of a list",
    "LIST_ERRORS": "wrong lines of a list that are shown",
    "SYNTAX_ERRORS": "syntax errors of a file that are shown",
    "ERRORS": "wrong characters, or wrong settings, that are shown",
    "CODE_MESSAGES": "messages of one code that are shown; the last one says how many there are",
}
"""What each limit bounds, for docs/language.md."""
