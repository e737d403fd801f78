"""Tests of the kubectl plugin: with the real kubectl, a real browser, a real terminal."""
