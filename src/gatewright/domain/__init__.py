"""The nouns of Gatewright: frozen dataclasses that know no file, no clock and no network."""
