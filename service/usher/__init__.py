"""Usher decides, by policy, what becomes of each person imported into Okta."""
