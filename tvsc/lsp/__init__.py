"""The language server: what `tvsc lsp` tells an editor about site files.

    text         a buffer, and the positions of the protocol in it
    analysis     buffers and files -> Analysis: the stages of `tvsc check`, and an index of names
    reader       the process that reads a large site's blocks for it
    session      which sites the open files belong to, and when they are analysed again
    hover, completion, navigate, rename, formatting: one question each, answered from an Analysis
    server       the protocol (pygls) around them

An answer never runs the compiler's stages by itself: it reads the last analysis and maps its places
to what is in the buffer now. Rename and format do, because they prove what they change.
"""
