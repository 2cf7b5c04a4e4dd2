import torch

from exposurebench.models.small_cnn import loss, network


def test_with_zero_weights_it_is_the_identity() -> None:
    net = network()
    for parameter in net.parameters():
        parameter.data.zero_()
    images = torch.rand(2, 3, 9, 5)
    assert torch.equal(net(images), images)
    assert loss(net(images), {"target": images})["l1"].item() == 0


def test_the_loss_is_the_mean_absolute_difference() -> None:
    batch = {"input": torch.zeros(1, 3, 4, 4), "target": torch.full((1, 3, 4, 4), 0.25)}
    assert loss(batch["input"], batch)["l1"].item() == 0.25
