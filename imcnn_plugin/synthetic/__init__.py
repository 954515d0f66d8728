from .draw_face import draw_example
from .write_faces import write_faces
from .write_photos import write_photos

__all__ = ['draw_example', 'write_faces', 'write_photos']
