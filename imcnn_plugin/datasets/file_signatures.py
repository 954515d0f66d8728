"""Knows what downloads often leave in place of the file that was wanted."""

from typing import Optional, Tuple

from .issues import Kind

HTML_PAGE = Kind(
    'HTML pages in place of files',
    'a site sent its own page, a login or a quota notice, in place of the file: download the file again in a browser',
)
ARCHIVE = Kind('archives that are not unpacked', 'unpack it, and put what is in it in its place')

# First bytes, in lower case.
SIGNATURES = {
    b'<!doctype': (HTML_PAGE, 'an HTML page'),
    b'<html': (HTML_PAGE, 'an HTML page'),
    b'pk\x03\x04': (ARCHIVE, 'a zip archive'),
    b'7z\xbc\xaf\x27\x1c': (ARCHIVE, 'a 7z archive'),
    b'\x1f\x8b': (ARCHIVE, 'a gzip archive'),
}


def foreign_file(head: bytes) -> Optional[Tuple[Kind, str]]:
    """What a file is by its first 64 bytes, if it is neither a list nor an image: the kind of problem, and a name."""
    head = head[:64].removeprefix(b'\xef\xbb\xbf').lstrip().lower()
    return next((found for signature, found in SIGNATURES.items() if head.startswith(signature)), None)
