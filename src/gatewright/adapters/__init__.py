"""The world, one family per port, each part found by its entry point."""
