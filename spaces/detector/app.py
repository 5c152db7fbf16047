"""The Space: everything is in hf-vft; the run lies beside this file."""

from pathlib import Path

from hf_vft.serving.launch import serve_space

if __name__ == "__main__":
    serve_space(Path(__file__).parent)
