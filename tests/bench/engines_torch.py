"""The peer of tests/bench/engines.ts: YOPO in PyTorch on the CPU, one training step or one forward pass.

Usage: python engines_torch.py --box 24 --channels 64,80,...,208 --features 1024 --batch 8 --threads 2 --mode train --seconds 5
(apt: python3-torch, or any newer PyTorch.) Prints one JSON line: times per subtomogram in ms (`processor`: user and system time of all threads), peak memory in MiB.
"""
import argparse
import json
import os
import resource
import time

for key in [name for name in os.environ if "OPENBLAS" in name]:
    del os.environ[key]
import torch
from torch import nn
from torch.nn import functional


class Yopo(nn.Module):
    def __init__(self, channels, features, classes):
        super().__init__()
        pairs = list(zip([1] + channels, channels))
        self.convolutions = nn.ModuleList([nn.Conv3d(a, b, 3) for a, b in pairs])
        self.norms = nn.ModuleList([nn.BatchNorm3d(b) for b in channels])
        self.norm = nn.BatchNorm1d(sum(channels))
        self.features = nn.Linear(sum(channels), features)
        self.head = nn.Linear(features, classes)

    def forward(self, x):
        largest = []
        for convolution, norm in zip(self.convolutions, self.norms):
            x = norm(functional.elu(convolution(x)))
            largest.append(x.amax(dim=(2, 3, 4)))
        return self.head(self.features(self.norm(torch.cat(largest, 1))))


parser = argparse.ArgumentParser()
parser.add_argument("--box", type=int, required=True)
parser.add_argument("--channels", required=True)
parser.add_argument("--features", type=int, required=True)
parser.add_argument("--batch", type=int, required=True)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--mode", choices=["train", "infer"], required=True)
parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
parser.add_argument("--seconds", type=float, default=5)
a = parser.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(0)
model = Yopo([int(c) for c in a.channels.split(",")], a.features, 16)
optimiser = torch.optim.NAdam(model.parameters(), 1e-4)
x = torch.randn(a.batch, 1, a.box, a.box, a.box)
y = torch.randint(0, 16, (a.batch,))
reduced = torch.autocast("cpu", dtype=torch.bfloat16, enabled=a.precision == "bfloat16")


def step():
    if a.mode == "infer":
        with torch.no_grad(), reduced:
            model(x)
        return
    optimiser.zero_grad()
    with reduced:
        logits = model(x)
    functional.cross_entropy(logits.float(), y).backward()
    optimiser.step()


model.train(a.mode == "train")
step()
step()
times = []
processor = time.process_time()
begin = time.perf_counter()
while len(times) < 2 or time.perf_counter() - begin < a.seconds:
    start = time.perf_counter()
    step()
    times.append((time.perf_counter() - start) * 1e3 / a.batch)
processor = (time.process_time() - processor) * 1e3 / a.batch / len(times)
print(json.dumps({"version": torch.__version__, "shortest": min(times), "mean": sum(times) / len(times), "processor": processor,
                  "peakMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
