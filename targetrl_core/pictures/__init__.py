"""Pictures, as PNG: what a sweep found, and learning curves. They need matplotlib, of the extra ``sweep``."""
