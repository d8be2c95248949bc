"""Statistics without side effects: counts and arrays in, estimates out; seeds are arguments."""
