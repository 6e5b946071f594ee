using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Blobs;

/// <summary>What to do about a download now.</summary>
/// <param name="Start">Pieces to ask for, and whom.</param>
/// <param name="Abandon">Transfers to end, because another peer has nothing to do and would be quicker.</param>
/// <param name="Wake">When to decide again though nothing happens, or null.</param>
internal sealed record DownloadPlan(ImmutableArray<(Piece Piece, DeviceId Peer)> Start, ImmutableArray<Transfer> Abandon, TimeSpan? Wake);
