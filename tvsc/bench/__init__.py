"""Measures what tvsc makes, and tvsc itself."""
