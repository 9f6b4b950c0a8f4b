"""The same model from Python: `site.py` instead of `site.tvs`.

    parts   the public classes: what a user's file builds
    place   where a part was built: file, line, column
    write   parts -> Program, the syntax tree that a `.tvs` file gives as well
    load    runs the user's file, makes diagnostics of its exceptions

From the syntax tree on there is one compiler: a Python site has the defaults, checks, messages and
outputs of the same site in text.
"""
