using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Blobs;

/// <summary>What is known of a piece that is there.</summary>
/// <param name="From">Who gave it.</param>
/// <param name="Digest">Its SHA-256 as it came, lower-case hexadecimal.</param>
internal sealed record PieceNote(DeviceId From, string Digest);
