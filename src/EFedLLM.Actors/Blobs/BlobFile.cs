namespace EFedLLM.Actors.Blobs;

/// <summary>A whole file that a store gives.</summary>
/// <param name="Path">Where it lies.</param>
/// <param name="Bytes">Its length.</param>
public sealed record BlobFile(string Path, long Bytes);
