"""``python -m hf_vft`` and ``accelerate launch -m hf_vft`` run the command line."""

from hf_vft.cli.main import main

if __name__ == "__main__":
    main()
