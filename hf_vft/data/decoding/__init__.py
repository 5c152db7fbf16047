"""What an image file holds besides plain 8-bit RGB: deep samples, DICOM, HEIC, colour profiles.

`hf_vft.data.images` joins these parts into the one decoder.
"""
