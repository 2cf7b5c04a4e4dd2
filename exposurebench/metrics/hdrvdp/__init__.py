"""The stages of HDR-VDP, a file each, as :mod:`exposurebench.metrics.hdrvdp2` and ``hdrvdp3`` put them together.

In the order in which light goes through them: :mod:`light` (what falls into the eye), :mod:`optics` (its
glare), :mod:`receptors` (adaptation and the answer of cones and rods), :mod:`pyramid` (bands of frequency
and orientation), :mod:`sensitivity` (the contrast sensitivity of nerves), :mod:`masking` (what hides what),
:mod:`pooling` (one quality) and :mod:`detection` (a map of what is seen). :mod:`interpolation` and
:mod:`blurring` serve several of them.

Every stage is a pure function of tensors ``(N, C, H, W)`` and numbers. The two versions share the functions
and differ in constants and order, which stand in their own files.

Source: Mantiuk et al. 2011, HDR-VDP-2 (SIGGRAPH), and the released programs 2.2.0, 2.2.2 and 3.0.7.
"""
