from typing import List, Sequence

import cv2
import numpy as np

from ..framework import import_onnxruntime


class OnnxNetwork:
    """A network of an ONNX file with one input, on one thread of the CPU; several threads may call it.

    It runs in onnxruntime if that is installed, otherwise in OpenCV with equal results but three times as slowly.

    Args:
        content: The file.
        outputs: Names of all its outputs, in the order in which they are returned.
    """

    def __init__(self, content: bytes, outputs: Sequence[str]):
        self.content, self.outputs = content, list(outputs)
        try:
            onnxruntime = import_onnxruntime()
        except ImportError:
            self.session = None
            # OpenCV's networks hold the state of a call, so each simultaneous call needs its own.
            self._idle = [self._open()]
            return
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # Inputs differ in size, and a memory plan for each size would be kept.
        options.enable_mem_pattern = False
        # It would warn that the input sizes differ from those in the file.
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(content, options, providers=['CPUExecutionProvider'])
        self.input = self.session.get_inputs()[0].name

    def __reduce__(self):
        # Neither engine's networks can be pickled or copied.
        return type(self), (self.content, self.outputs)

    def __call__(self, x: np.ndarray) -> List[np.ndarray]:
        """The outputs for a float32 input."""
        if self.session is not None:
            return self.session.run(self.outputs, {self.input: x})
        try:
            network = self._idle.pop()
        except IndexError:
            network = self._open()
        network.setInput(x)
        found = network.forward(self.outputs)
        self._idle.append(network)
        return found

    def _open(self) -> cv2.dnn.Net:
        return cv2.dnn.readNetFromONNX(np.frombuffer(self.content, np.uint8))
