import json

import torch

from rnnlab.benchmarks.settings import description, installed, matrix_multiply_rate, physical_memory

CPU = torch.device("cpu")


def test_description_is_plain_data_and_names_what_decides_speed() -> None:
    found = json.loads(json.dumps(description(CPU)))
    assert found["threads"] == torch.get_num_threads()
    assert found["torch"].startswith(torch.__version__.split("+")[0])
    assert found["processor"]
    memory = physical_memory()
    assert memory is None or memory > 2**28


def test_a_package_that_is_not_there_has_no_version() -> None:
    assert installed("no-such-package-at-all") is None


def test_the_machine_multiplies_matrices() -> None:
    assert matrix_multiply_rate(CPU) > 1e7
