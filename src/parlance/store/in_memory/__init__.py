"""Doubles of the stores: one `Shelf` of plain dicts, and a small class over it for each Protocol. They pass what SQL
does.
"""
