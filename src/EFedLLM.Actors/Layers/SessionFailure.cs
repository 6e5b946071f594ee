using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Layers;

/// <summary>Why a session ended on a shard, for the log.</summary>
/// <param name="Session">The session.</param>
/// <param name="Problem">Why.</param>
internal readonly record struct SessionFailure(SessionId Session, string Problem);
