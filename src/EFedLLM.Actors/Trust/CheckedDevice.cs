using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Trust;

/// <summary>What is to be checked: a hop of a device.</summary>
/// <param name="Device">The device.</param>
/// <param name="Owner">Whose it is, or null where nobody says.</param>
/// <param name="Range">The units of the model that it computed.</param>
public sealed record CheckedDevice(DeviceId Device, string? Owner, LayerRange Range);
