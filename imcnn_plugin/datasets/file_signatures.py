"""Recognizes the web pages and archives that failed downloads often leave instead of the file."""

from typing import Optional, Tuple

from .issues import IssueKind

HTML_PAGE = IssueKind(
    'HTML pages instead of files',
    'a website sent a login or quota page instead of the file: download the file again in a browser',
)
ARCHIVE = IssueKind('archives that are not unpacked', 'unpack it, and put its content in its place')

# First bytes, in lower case.
SIGNATURES = {
    b'<!doctype': (HTML_PAGE, 'an HTML page'),
    b'<html': (HTML_PAGE, 'an HTML page'),
    b'pk\x03\x04': (ARCHIVE, 'a zip archive'),
    b'7z\xbc\xaf\x27\x1c': (ARCHIVE, 'a 7z archive'),
    b'\x1f\x8b': (ARCHIVE, 'a gzip archive'),
}


def identify_foreign_file(head: bytes) -> Optional[Tuple[IssueKind, str]]:
    """Recognizes a web page or an archive by the first 64 bytes of a file.

    Returns:
        The kind of issue and a name of the format; None for any other file.
    """
    head = head[:64].removeprefix(b'\xef\xbb\xbf').lstrip().lower()
    return next((found for signature, found in SIGNATURES.items() if head.startswith(signature)), None)
