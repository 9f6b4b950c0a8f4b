"""Messages about a site: one Diagnostic type, a registry of codes, several renderers."""

from tvsc.diag import codes
from tvsc.diag.codes import CODES, Code, Severity
from tvsc.diag.deny import denied_ids, deny
from tvsc.diag.diagnostic import Diagnostic, Note, has_errors, in_source_order
from tvsc.diag.github import render_github
from tvsc.diag.json import render_json
from tvsc.diag.pages import explain_page
from tvsc.diag.sarif import render_sarif
from tvsc.diag.text import render_text, summary

__all__ = [
    "CODES",
    "Code",
    "Diagnostic",
    "Note",
    "Severity",
    "codes",
    "denied_ids",
    "deny",
    "explain_page",
    "has_errors",
    "in_source_order",
    "render_github",
    "render_json",
    "render_sarif",
    "render_text",
    "summary",
]
