using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Reputation;

/// <summary>What whoever found a device out earns, until his own entity has it.</summary>
/// <param name="Number">From 1 on, for each device.</param>
/// <param name="Finder">Who.</param>
/// <param name="Amount">How much; above 0.</param>
/// <param name="Session">The session in which.</param>
/// <param name="Model">Its model.</param>
/// <param name="Range">The units that were wrong.</param>
internal sealed record FinderReward(long Number, DeviceId Finder, double Amount, SessionId Session, ModelId Model, LayerRange Range);
