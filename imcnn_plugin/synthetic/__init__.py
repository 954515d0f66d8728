from .write_faces import write_faces
from .write_photos import write_photos

__all__ = ['write_faces', 'write_photos']
