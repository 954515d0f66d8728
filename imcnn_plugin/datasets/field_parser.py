import numpy as np

WHITE = np.isin(np.arange(256), list(b' \t\n\r\v\f'))


class TextFields:
    """The fields of a text, separated by white space as for ``bytes.split``, found without a loop over lines.

    Args:
        content: The text, B bytes in lines that end with a line feed.

    Attributes:
        data: ``(B, )`` uint8.
        start: Where each of F fields begins in ``data`` ``(F, )``.
        end: Where each ends ``(F, )``.
        first: Which field is the first of each of M lines, and F ``(M + 1, )``. Blank lines at the end do not count.
    """

    def __init__(self, content: bytes):
        self.data = np.frombuffer(content, np.uint8)
        # A list has 40 fields for each image: half the memory counts.
        edges = np.flatnonzero(np.diff(WHITE[self.data], prepend=True, append=True)).astype(np.int32)
        self.start, self.end = edges[::2], edges[1::2]
        line = np.append(0, np.flatnonzero(self.data == ord('\n')) + 1)
        first = np.append(np.searchsorted(self.start, line), len(self.start))
        self.first = first[: np.argmax(first == len(self.start)) + 1]
        self._line = np.append(line, len(content))

    def __len__(self) -> int:
        return len(self.first) - 1

    @property
    def counts(self) -> np.ndarray:
        """Number of fields of each line ``(M, )``."""
        return np.diff(self.first)

    def line(self, index: int) -> bytes:
        """A line; b'' if there is none."""
        return self.data[self._line[index] : self._line[index + 1]].tobytes() if index < len(self) else b''

    def texts(self, fields: np.ndarray, limit: int) -> np.ndarray:
        """Fields ``(n, )`` by their indices as bytes ``(n, )``, cut off after ``limit`` bytes."""
        start = self.start[fields]
        length = np.minimum(self.end[fields] - start, limit)
        texts = np.zeros((len(start), length.max(initial=1)), np.uint8)
        for column in range(texts.shape[1]):
            inside = length > column
            texts[inside, column] = self.data[start[inside] + column]
        return texts.view(f'S{texts.shape[1]}')[:, 0]
