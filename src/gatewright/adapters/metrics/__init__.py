"""Sources of live evidence."""
