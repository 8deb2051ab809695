"""Criteria of dose acceptance, and the figures of the sample builds against them."""
