"""Messages about a site: one Diagnostic type, a registry of codes, several renderers."""

from tvsc.diag import codes
from tvsc.diag.codes import CODES, Code, Severity
from tvsc.diag.diagnostic import Diagnostic, Note, has_errors, in_source_order
from tvsc.diag.json import render_json
from tvsc.diag.pages import explain_page
from tvsc.diag.text import render_text, summary

__all__ = [
    "CODES",
    "Code",
    "Diagnostic",
    "Note",
    "Severity",
    "codes",
    "explain_page",
    "has_errors",
    "in_source_order",
    "render_json",
    "render_text",
    "summary",
]
