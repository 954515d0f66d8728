from .write_faces import write_faces

__all__ = ['write_faces']
