"""Labelled cells become an ensemble."""
