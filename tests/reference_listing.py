"""The listing, line for line: the program that the whole project is measured against."""

import torch
import torch.nn as nn
import torch.optim as optim


class SimpleModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(1, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        return self.sigmoid(self.fc(x))


def run(print=print):
    model = SimpleModel()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    target_value = 0.8

    for step in range(50):
        x = torch.ones(1, 1)
        output = model(x)
        diff = abs(output.item() - target_value)
        reward = 1.0 - diff * 5
        logp = torch.log(output)
        loss = -reward * logp
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"Step {step}: output={output.item():.3f}, reward={reward:.3f}, loss={loss.item():.3f}")
    return model, optimizer
