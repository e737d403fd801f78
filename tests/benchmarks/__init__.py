"""Figures, not tests: scripts that measure things side by side, in one run on one machine."""
