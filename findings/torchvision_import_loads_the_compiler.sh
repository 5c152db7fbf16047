#!/usr/bin/env bash
# torchvision 0.29.2: `import torchvision` loads torch._dynamo, TorchInductor and SymPy, although
# nothing is compiled; that is nine tenths of what the import costs after torch (4.3 of 4.7 s CPU).
#
# Guess:  torchvision's Python is light, and torch.compile loads its compiler on first use; its
#         ops/roi_align.py has a lazy_compile whose docstring says that it avoids loading it.
# Seen:   `import torch` alone loads none of them. The same file asks torch._dynamo.utils at its
#         head whether compiling is supported, so every program that imports torchvision, with it
#         every image processor of transformers, loads several hundred modules of the compiler.
# Users:  a command that answers one image cannot start faster than that, whatever else it leaves
#         out; a service that is started often is better served by a process that stays.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${UV:-uv}" venv -q "$folder/venv"
"${UV:-uv}" pip install -q --python "$folder/venv/bin/python" torch==2.15.0 torchvision==0.29.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import time

COMPILER = ("torch._dynamo", "torch._inductor", "sympy")


def loaded() -> dict[str, int]:
    """How many modules of each package."""
    return {
        name: sum(module == name or module.startswith(f"{name}.") for module in sys.modules)
        for name in COMPILER
    }


import torch

before = loaded()
start = time.process_time()
import torch._dynamo.utils  # what ops/roi_align.py asks for

compiler = time.process_time() - start
after = loaded()
import torchvision

whole = time.process_time() - start
print(f"after torch: {before}; with what roi_align asks for: {after}")
print(f"CPU seconds: the compiler {compiler:.1f} of {whole:.1f} for torchvision")
fresh = __import__("subprocess").run(
    [sys.executable, "-c", "import sys, torchvision; print('torch._dynamo' in sys.modules)"],
    capture_output=True, text=True, check=True,
).stdout.strip()
print(f"import torchvision alone loads torch._dynamo: {fresh}")
assert fresh == "True", "the behaviour has changed"
assert all(count == 0 for count in before.values()), "the behaviour has changed"
assert all(count > 0 for count in after.values()), "the behaviour has changed"
assert compiler > whole / 2, "the behaviour has changed"
PYTHON
