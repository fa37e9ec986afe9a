"""SciPy's rotation of boxes, for tests/bench/rotate.ts: prints boxes per second for order 1 and 3, one thread, best of several passes.

Usage: python rotate.py BOX (numpy and scipy; versions are printed). Peer of `deno task bench:rotate`.
"""
import json, sys, time
import numpy, scipy
from scipy.ndimage import affine_transform
from scipy.spatial.transform import Rotation

box, count = int(sys.argv[1]), 20
rng = numpy.random.default_rng(0)
boxes = rng.standard_normal((count, box, box, box), dtype=numpy.float32)
matrices = Rotation.random(count, random_state=0).as_matrix()
centre = numpy.full(3, box // 2)
result = {"numpy": numpy.__version__, "scipy": scipy.__version__, "box": box}
for order in (1, 3):
    best = numpy.inf
    for _ in range(4):
        start = time.perf_counter()
        for b, m in zip(boxes, matrices):
            affine_transform(b, m, offset=centre - m @ centre, order=order, mode="constant")
        best = min(best, time.perf_counter() - start)
    result[f"order{order}"] = count / best
print(json.dumps(result))
