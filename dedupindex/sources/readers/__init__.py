"""Readers of formats that need packages of their own: JPEG XL, QOI, JPEG-LS, HDR, OpenEXR, RAW, SVG, PDF, video."""
