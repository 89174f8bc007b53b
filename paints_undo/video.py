"""The address at which programs find `write_video` and `read_video`; their home is paints_undo.pictures.video."""

from paints_undo.pictures.video import read_video, write_video

__all__ = ["read_video", "write_video"]
