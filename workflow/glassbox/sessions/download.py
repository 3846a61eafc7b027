"""Fetching a large file over HTTP so that a broken connection costs only what was not sent.

What has come stands in `.{name}.partial` beside the file, with a note of which file it is a part of
(`.{name}.partial.json`). It outlives the process. It is taken up where the server says that it is
part of the same file (RFC 9110, sections 13.1.5 If-Range, 14.2 Range, 15.3.7 Partial Content) and
begun anew where it does not. The file itself appears whole, by one rename.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import requests
import urllib3

from glassbox.errors import UserError
from glassbox.files import replacing_file, sha256_of_file
from glassbox.progress import Progress
from glassbox.sessions.patience import Patience

BLOCK_BYTES = 1 << 16
MEGABYTE = 1_000_000
OK, PARTIAL, BEYOND_THE_END = 200, 206, 416
RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
MENDS_ITSELF = (408, 425, 429)  # of the answers below 500 those that another attempt may change


@dataclass(frozen=True)
class Source:
    """Which file a partial one is a part of, as far as the server says.

    Attributes:
        size: bytes of the whole file.
        mark: its strong ETag or the time it was changed, which `If-Range` takes.
    """

    link: str
    size: int | None = None
    mark: str = ""


class Trouble(Exception):
    """What another attempt may mend; `after_s` is how long the server asks to wait."""

    def __init__(self, said: str, after_s: float | None = None):
        super().__init__(said)
        self.after_s = after_s


def download(
    link: str,
    out: str | Path,
    check: Callable[[Path], str | None],
    patience: Patience,
) -> None:
    """Fetch a file, or leave a whole one as it is.

    Args:
        link: its address.
        out: where it is to stand.
        check: what is wrong with a file that has come, as a sentence without its end, or None.
        patience: attempts are counted anew whenever one brings the file further than all before.

    Raises:
        UserError: the server refuses, or does not bring a whole file however often it is asked.
        OSError: the disk is full; the partial file is removed then.
    """
    try:
        _Download(link, Path(out), check, patience).run()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _Partial(Path(out)).drop()
        raise


class _Partial:
    """What has come of a file so far, and the note of which file it is a part of."""

    def __init__(self, out: Path):
        self.path = out.with_name(f".{out.name}.partial")
        self.note = out.with_name(f".{out.name}.partial.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def source(self) -> Source | None:
        """Of which file it is a part; None where that is not known."""
        try:
            return Source(**json.loads(self.note.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, source: Source) -> None:
        """Be the first no bytes of a file."""
        self.drop()
        with replacing_file(self.note) as partial:
            partial.write_text(json.dumps(asdict(source)))
        self.path.touch()

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


class _Download:
    def __init__(
        self, link: str, out: Path, check: Callable[[Path], str | None], patience: Patience
    ):
        self.link, self.out, self.check, self.patience = link, out, check, patience
        self.partial = _Partial(out)
        self.damaged: set[str] = set()  # hashes of the damaged files that came

    def run(self) -> None:
        self.out.parent.mkdir(parents=True, exist_ok=True)
        if self.out.exists() and self._is_whole():
            return
        source = self.partial.source()
        if source is None or source.link != self.link:
            self.partial.drop()
        furthest, pauses = self.partial.size, self.patience.pauses(self.link)
        while True:
            try:
                self._attempt()
                break
            except Trouble as trouble:
                if self.partial.size > furthest:
                    furthest, pauses = self.partial.size, self.patience.pauses(self.link)
                pause = next(pauses, None)
                if pause is None:
                    raise UserError(
                        f"{self.out.name}: {trouble}; {self.patience.attempts} attempts brought it "
                        f"no further ({self.link}). What has come is kept: run the same command "
                        "again to go on."
                    ) from None
                self.patience.wait(pause, f"{self.out.name}: {trouble}", trouble.after_s)
        os.replace(self.partial.path, self.out)
        self.partial.drop()

    def _is_whole(self) -> bool:
        """Whether the file that stands there is whole, and the server's where it answers."""
        if self.check(self.out) is not None:
            return False
        try:
            with self._get({}) as answer:
                size = _length(answer) if answer.status_code == OK else None
        except requests.RequestException:
            size = None
        here = self.out.stat().st_size
        if size is None:
            print(f"{self.out.name}: is here and whole; the server does not tell its size")
        elif size == here:
            print(f"{self.out.name}: is here and whole, {here:,} bytes")
        return size is None or size == here

    def _attempt(self) -> None:
        """Bring the partial file to its end and check it; what may mend itself is Trouble."""
        begins, headers = self.partial.size, {}
        if begins:
            mark = self.partial.source().mark
            headers = {"Range": f"bytes={begins}-"} | ({"If-Range": mark} if mark else {})
        try:
            with self._get(headers) as answer:
                self._take(answer, begins)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise Trouble(f"the connection broke ({_reason(error)})") from None
        come, size = self.partial.size, self.partial.source().size
        if size is not None and come < size:
            raise Trouble(f"the server stopped after {come:,} of {size:,} bytes")
        self._refuse_damaged()

    def _take(self, answer: requests.Response, begins: int) -> None:
        """Write what the server answers behind what is here, or in its place."""
        status = answer.status_code
        if status == OK:  # from the beginning: nothing was asked for, or the server knows no parts
            self.partial.begin(Source(self.link, _length(answer), _mark(answer)))
            self._write(answer, 0)
        elif status == PARTIAL and self._continues(answer, begins):
            self._write(answer, begins)
        elif status == BEYOND_THE_END and begins and _whole_size(answer) == begins:
            pass  # nothing was missing but the check
        elif status in (PARTIAL, BEYOND_THE_END):
            self.partial.drop()
            raise Trouble("what is here is no part of the server's file; beginning anew")
        elif status >= 500 or status in MENDS_ITSELF:
            raise Trouble(f"the server answers {status} {answer.reason}", _retry_after(answer))
        else:
            raise UserError(
                f"{self.out.name}: the server answers {status} {answer.reason} for {self.link}. "
                "Ask for the catalogue anew (delete results/sessions/allen.tsv), or exclude the "
                "session with cohorts.exclude."
            )

    def _continues(self, answer: requests.Response, begins: int) -> bool:
        """Whether an answer is the rest of the file whose beginning is here."""
        first = _range(answer)[0]
        size = self.partial.source().size if begins else None
        return bool(begins) and first == begins and _whole_size(answer) in (size, None)

    def _write(self, answer: requests.Response, begins: int) -> None:
        size = self.partial.source().size
        if size is not None:
            self._refuse_without_space(size - begins)
        progress = Progress((size or 0) // MEGABYTE, f"fetch {self.out.name}", "MB")
        progress.step(begins // MEGABYTE)
        come = begins
        # A body that ends early is kept as far as it goes; how far is told by its size.
        answer.raw.enforce_content_length = False
        try:
            with self.partial.path.open("ab") as file:
                for block in answer.raw.stream(BLOCK_BYTES, decode_content=False):
                    file.write(block)
                    progress.step((come + len(block)) // MEGABYTE - come // MEGABYTE)
                    come += len(block)
        finally:
            progress.close()

    def _refuse_without_space(self, needed: int) -> None:
        free = shutil.disk_usage(self.out.parent).free
        if needed > free:
            raise UserError(
                f"{self.out}: {needed / MEGABYTE:,.0f} MB are still to come and "
                f"{free / MEGABYTE:,.0f} MB are free on the disk. Make space, or make "
                f"{self.out.parent} a link to a larger disk, and run the same command again."
            )

    def _refuse_damaged(self) -> None:
        """Drop a file that came to its end and is damaged; the same one twice is the server's."""
        fault = self.check(self.partial.path)
        if fault is None:
            return
        fault = fault.replace(self.partial.path.name, self.out.name)
        digest = sha256_of_file(self.partial.path)
        self.partial.drop()
        if digest in self.damaged:
            raise UserError(
                f"{self.out.name}: the file came twice with the same bytes, and it is damaged: "
                f"{fault}. It is so on the server ({self.link}); exclude the session with "
                "cohorts.exclude."
            )
        self.damaged.add(digest)
        raise Trouble(f"the file that came is damaged ({fault})")

    def _get(self, headers: dict[str, str]) -> requests.Response:
        # Bytes as they are: a packed answer would have another length.
        plain = {"Accept-Encoding": "identity"}
        return requests.get(
            self.link, headers=plain | headers, stream=True, timeout=self.patience.timeout_s
        )


def _length(answer: requests.Response) -> int | None:
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


def _mark(answer: requests.Response) -> str:
    """What If-Range takes: a strong ETag, else the time of change."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")


def _range(answer: requests.Response) -> tuple[int | None, int | None]:
    """(first byte, size of the whole file) of the header Content-Range, None where not told."""
    found = RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if not found:
        return None, None
    return tuple(int(text) if text and text.isdigit() else None for text in found.groups())


def _whole_size(answer: requests.Response) -> int | None:
    return _range(answer)[1]


def _retry_after(answer: requests.Response) -> float | None:
    """Seconds that the server asks to wait."""
    text = answer.headers.get("Retry-After", "")
    if text.isdigit():
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None


def _reason(error: BaseException) -> str:
    """What broke, as the system says it: the first of a chain of errors."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return str(error)[:120] or type(error).__name__
