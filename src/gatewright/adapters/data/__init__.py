"""Sources of data versions."""
