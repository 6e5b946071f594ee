namespace EFedLLM.Node.Api;

/// <summary>What a hop signed for an answer, from its first position on. Digests, keys and signatures are lower-case hexadecimal.</summary>
/// <param name="Device">The device's id.</param>
/// <param name="PublicKey">Its Ed25519 public key, 32 bytes.</param>
/// <param name="First">The first unit that it computed.</param>
/// <param name="End">One past the last one.</param>
/// <param name="CheckedTo">One past the last position that somebody recomputed and found right.</param>
/// <param name="CheckedBy">The ids of those who did; the gateway under its own.</param>
/// <param name="Units">Its receipts, in order.</param>
internal sealed record HopReceipts(string Device, string PublicKey, int First, int End, int CheckedTo, IReadOnlyList<string> CheckedBy, IReadOnlyList<UnitReceipt> Units);

/// <summary>A receipt of one hop: the rest of what is signed is the answer's own, and the hash of the receipt before it.</summary>
/// <param name="Epoch">The epoch of the route.</param>
/// <param name="Hop">The hop's place in it.</param>
/// <param name="Position">The first position.</param>
/// <param name="Rows">Number of positions.</param>
/// <param name="InRoot">Merkle root over what came in, 32 bytes.</param>
/// <param name="OutRoot">Merkle root over what went out, 32 bytes.</param>
/// <param name="KvRoot">Merkle root over the keys and values that were kept, 32 bytes.</param>
/// <param name="Signature">The device's Ed25519 signature, 64 bytes.</param>
internal sealed record UnitReceipt(int Epoch, int Hop, int Position, int Rows, string InRoot, string OutRoot, string KvRoot, string Signature);
