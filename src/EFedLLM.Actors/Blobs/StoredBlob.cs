namespace EFedLLM.Actors.Blobs;

/// <summary>A file that takes a store's disk.</summary>
/// <param name="Sha256">Its name.</param>
/// <param name="Bytes">What it takes; of a part, what the whole will take.</param>
/// <param name="Used">When it was last of use, UTC.</param>
internal sealed record StoredBlob(string Sha256, long Bytes, DateTimeOffset Used);
