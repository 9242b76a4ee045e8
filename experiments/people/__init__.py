"""Galleries of two rows put before people, and what they answered."""
