"""SciPy's difference of Gaussians for tests/bench/dog.ts: one thread, float32, 200 x 960 x 928, sigma 5 and 2, truncate 4, in memory.

Usage: python dog.py (numpy and scipy). The same calculation as ../shared/peers/scientific_python.py dog; prints wall and processor seconds.
"""
import json, time
import numpy, scipy
from scipy.ndimage import gaussian_filter

voxels = numpy.random.default_rng(0).random((200, 960, 928), dtype=numpy.float32)
wall, processor = time.perf_counter(), time.process_time()
gaussian_filter(voxels, 5.0) - gaussian_filter(voxels, 2.0)
print(json.dumps({"scipy": scipy.__version__, "wall": time.perf_counter() - wall, "processor": time.process_time() - processor}))
