using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Blobs;

/// <summary>A piece on its way.</summary>
/// <param name="Piece">The piece.</param>
/// <param name="Peer">Who gives it.</param>
/// <param name="Since">When it was asked for.</param>
internal readonly record struct Transfer(Piece Piece, DeviceId Peer, TimeSpan Since);
