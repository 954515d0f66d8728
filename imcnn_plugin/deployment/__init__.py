"""Trained models for others: calibration, publishing, ONNX, and a web page."""

from .calibrate import calibrate
from .export import ExportAgreement, export_detector, export_onnx
from .publish import Published, publish
from .web_page import WebPage

__all__ = ['ExportAgreement', 'Published', 'WebPage', 'calibrate', 'export_detector', 'export_onnx', 'publish']
