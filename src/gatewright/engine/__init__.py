"""The doing: runs and their stages, the controller of rollouts, and the local runtime that serves traffic."""
