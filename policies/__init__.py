"""The policies shipped with Usher: data, mapped into the package so that a wheel carries them."""
