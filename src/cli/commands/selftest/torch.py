"""What `rmcp selftest` has PyTorch do. One line of JSON a check on stdout; exit status 77: no PyTorch with ROCm."""
import json
import os
import site
import sys

# Isolated, Python leaves out what the user has installed for himself.
user = site.getusersitepackages()
if sys.prefix == sys.base_prefix and os.path.isdir(user) and os.stat(user).st_uid == os.geteuid():
    site.addsitedir(user)

try:
    import torch
except ImportError as error:
    sys.exit(print(f"{sys.executable} has no PyTorch: {error}", file=sys.stderr) or 77)
if not getattr(torch.version, "hip", None):
    sys.exit(print(f"PyTorch {torch.__version__} is built without ROCm", file=sys.stderr) or 77)


def check(passed, text):
    print(json.dumps({"check": text, "passed": bool(passed)}), flush=True)


def same(text, make, tolerance=1e-3):
    """Whether the GPU computes what the CPU does, from the same numbers."""
    torch.manual_seed(0)
    cpu = make(torch.device("cpu"))
    torch.manual_seed(0)
    gpu = make(torch.device("cuda")).cpu()
    apart = float((cpu - gpu).abs().max() / cpu.abs().max().clamp_min(1e-12))
    check(apart <= tolerance, f"{text}: {apart:.2g} apart from the CPU, at most {tolerance:g}")


def train(device):
    # The numbers are drawn on the CPU, so that both train on the same.
    inputs, targets = torch.randn(64, 3, 16, 16), torch.randint(0, 10, (64,))
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8 * 16 * 16, 10)
    ).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs.to(device)), targets.to(device))
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


check(torch.cuda.is_available(), f"PyTorch {torch.__version__} for ROCm {torch.version.hip} sees a GPU")
if torch.cuda.is_available():
    check(torch.cuda.device_count() > 0, f"{torch.cuda.device_count()} GPUs, the first is {torch.cuda.get_device_name(0)}")
    numbers = torch.arange(1 << 20, dtype=torch.int32)
    check(torch.equal(numbers.cuda().cpu(), numbers), "1 Mi integers to the card and back")
    pinned = numbers.pin_memory()
    check(torch.equal(pinned.cuda(non_blocking=True).cpu(), numbers), "the same from pinned memory, not waiting")
    same("matmul", lambda device: torch.randn(256, 256).to(device) @ torch.randn(256, 256).to(device))
    same("conv2d", lambda device: torch.nn.functional.conv2d(torch.randn(4, 8, 64, 64).to(device), torch.randn(16, 8, 3, 3).to(device)))
    same("10 steps of training", train, 1e-2)
    check(bool(torch.isfinite(train(torch.device("cuda"))).all()), "every loss is a number")
