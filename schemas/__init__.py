"""The JSON Schemas Usher validates with: data, mapped into the package so that a wheel carries them."""
