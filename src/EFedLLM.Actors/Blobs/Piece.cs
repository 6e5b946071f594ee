namespace EFedLLM.Actors.Blobs;

/// <summary>A piece of a file to fetch.</summary>
/// <param name="File">The file's place among those that are fetched together.</param>
/// <param name="Index">The piece's place in the file.</param>
/// <param name="Length">Its bytes.</param>
internal readonly record struct Piece(int File, int Index, int Length);
