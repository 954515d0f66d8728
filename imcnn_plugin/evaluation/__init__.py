from .per_attribute_accuracy import PerAttributeAccuracy

__all__ = ['PerAttributeAccuracy']
