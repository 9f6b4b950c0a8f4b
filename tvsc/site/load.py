"""A Python site file to a program: runs the file, and makes diagnostics of its exceptions.

The only module of the front that runs a user's code. What the code prints goes to standard error,
so that the output of a command stays its own; modules that lie beside the site are imported anew
each time.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import CodeType, ModuleType, TracebackType

from pydantic import ValidationError

from tvsc.diag import Diagnostic, Note, codes
from tvsc.dsl.ast import Program
from tvsc.dsl.hidden import report_hidden
from tvsc.dsl.load import Loader
from tvsc.site.parts import Site
from tvsc.site.place import Positions, instruction, is_users, set_root
from tvsc.site.write import write
from tvsc.source import SourceMap, Span

MODULE = "tvsc_site_file"
MAX_REASON = 500
"""Characters of an exception's text that are shown."""
_SECRETS = ("password", "key")
_SECRET_HELP = (
    'write `Secret(file="PATH")` or `Secret(env="NAME")`; if this was the secret itself, it is'
    " known now: change it"
)
Report = Callable[[Diagnostic], None]


def parse_python(path: Path, sources: SourceMap, report: Report) -> Program | None:
    """The program that a Python site file builds; None after a report."""
    if Loader(path, sources, report).read(path.name) is None:
        return None
    text = sources.files[0].text
    report_hidden(0, text, report)
    positions = Positions(path, sources)
    file = os.path.join(positions.root, path.name)  # noqa: PTH118 - as the interpreter
    positions.add(file, text)
    run = _Run(positions, report)
    code = run.compile(text, file)
    found = None if code is None else run.execute(code)
    if found is None:
        return None
    try:
        return write(found, positions, report)
    except Exception as error:
        if not any(run.frames(error.__traceback__)):
            raise
        run.failed(error)  # the user's code once more: a list or a text of a class of his own
        return None


class _Run:
    def __init__(self, positions: Positions, report: Report) -> None:
        self.positions = positions
        self.report = report
        self.root = positions.root.rstrip(os.sep) + os.sep

    def compile(self, text: str, file: str) -> CodeType | None:
        try:
            return compile(text, file, "exec", dont_inherit=True)
        except SyntaxError as error:
            self.syntax(error)
        except (ValueError, RecursionError, MemoryError) as error:
            message = f"the file is no Python: {error}"
            self.report(Diagnostic(codes.PYTHON_FAILED, message, Span(0, 0, 0)))
        return None

    def execute(self, code: CodeType) -> Site | None:
        module = ModuleType(MODULE)
        module.__file__ = code.co_filename
        try:
            with _surroundings(self.root, module) as imported, _output_to_stderr():
                exec(code, module.__dict__)
        except KeyboardInterrupt:
            raise
        except SyntaxError as error:
            self.syntax(error)
            return None
        except BaseException as error:
            self.failed(error)
            return None
        for file in sorted(imported):
            self.positions.module(file)
        site = getattr(module, "site", None)
        if isinstance(site, Site):
            return site
        if site is None:
            message = "the file has no variable `site`"
        else:
            message = f"`site` is a Python value of type `{type(site).__name__}`, not a `Site`"
        help_ = "write `site = Site(name=..., ...)`, with `from tvsc import Site`"
        self.report(Diagnostic(codes.PYTHON_NO_SITE, message, Span(0, 0, 0), help=help_))
        return None

    def syntax(self, error: SyntaxError) -> None:
        """A syntax error in the site file, or in a module beside it."""
        span = Span(0, 0, 0)
        known = self.positions.module(error.filename) if error.filename else None
        if known is not None and error.lineno:
            # Columns of syntax errors count characters, from 1; 0 is unknown.
            start = known.starts[min(error.lineno, len(known.lines)) - 1] + (error.offset or 1) - 1
            width = 1
            if error.end_lineno == error.lineno and error.end_offset and error.offset:
                width = max(1, error.end_offset - error.offset)
            end = min(start + width, len(known.text))
            span = Span(known.number, min(start, end), end)
        self.report(Diagnostic(codes.PYTHON_FAILED, f"{type(error).__name__}: {error.msg}", span))

    def failed(self, error: BaseException) -> None:
        """An exception: at the innermost frame of the user's, with the calls that led there."""
        frames = list(self.frames(error.__traceback__))
        span = frames[-1][1] if frames else Span(0, 0, 0)
        if isinstance(error, ValidationError):
            self.misfit(error, span)
            return
        try:
            text = str(error)
        except Exception:
            text = ""
        first = (text.splitlines() or [""])[0][:MAX_REASON]
        message = type(error).__name__ + (f": {first}" if first else "")
        notes = tuple(Note(f"called in {name}", at) for name, at in reversed(frames[:-1]))
        self.report(Diagnostic(codes.PYTHON_FAILED, message, span, notes))

    def frames(self, trace: TracebackType | None) -> Iterator[tuple[str, Span]]:
        for frame, _ in traceback.walk_tb(trace):
            code = frame.f_code
            if is_users(code.co_filename, self.root):
                last = next(t.tb_lasti for t in _chain(trace) if t.tb_frame is frame)
                name = "the file" if code.co_name == "<module>" else f"`{code.co_name}`"
                yield name, self.positions.span(instruction(code, last))

    def misfit(self, error: ValidationError, span: Span) -> None:
        """A part was given what it cannot hold: at the argument, or the member of its list."""
        trace = error.__traceback__
        ours = [t for t in _chain(trace) if is_users(t.tb_frame.f_code.co_filename, self.root)]
        place = instruction(ours[-1].tb_frame.f_code, ours[-1].tb_lasti) if ours else None
        arguments = self.positions.call(place)[1]
        for problem in error.errors(include_url=False, include_context=False):
            field, index = str(problem["loc"][0]), (*problem["loc"], 0)[1]
            at = arguments.get(field)
            where = span if at is None else at.value
            if at is not None and isinstance(index, int) and index < len(at.members):
                where = at.members[index]
            what = type(problem["input"]).__name__
            message = f"`{field}` of `{error.title}` cannot hold a Python value of type `{what}`"
            secret = field in _SECRETS
            self.report(
                Diagnostic(
                    codes.WRONG_TYPE,
                    message,
                    where,
                    help=_SECRET_HELP if secret else None,
                    secret=secret and at is not None,
                )
            )


def _chain(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


@contextmanager
def _output_to_stderr() -> Iterator[None]:
    """What the file prints goes to standard error, and what programs print that it starts."""
    kept = os.dup(1) if _is_open(1) and _is_open(2) else None
    if kept is not None:
        os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@contextmanager
def _surroundings(root: str, module: ModuleType) -> Iterator[set[str]]:
    """As if Python had been started with the file; afterwards all is as it was. Gives the files of
    the user's own modules that were imported.
    """
    imported: set[str] = set()
    before = set_root(root)
    known = set(sys.modules)
    directory = Path.cwd()
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, root.rstrip(os.sep) or os.sep)
    sys.modules[MODULE] = module
    try:
        yield imported
    finally:
        set_root(before)
        os.chdir(directory)
        sys.dont_write_bytecode = written
        if root.rstrip(os.sep) in sys.path:
            sys.path.remove(root.rstrip(os.sep))
        for name in set(sys.modules) - known:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if name == MODULE or is_users(file, root):
                imported |= {file} - {module.__file__}
                del sys.modules[name]
