import pytest
import torch

from exposurebench.errors import MissingError, RecipeError
from exposurebench.processes import Place, joined


def test_alone_there_is_nothing_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")  # of a cluster's scheduler, not of torchrun
    with joined("cpu") as place:
        assert place == Place(torch.device("cpu"))
        place.wait()
        values = torch.arange(3.0)
        assert place.mean(values) is values


def test_the_device_is_chosen() -> None:
    with joined() as place:
        assert place.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(RecipeError, match="no device is called 'foo'"), joined("foo"):
        pass
    with pytest.raises(MissingError, match="no usable device 'cuda:99'"), joined("cuda:99"):
        pass
