"""Console scripts: ``metallic-demo`` and ``metallic-smoke``."""
